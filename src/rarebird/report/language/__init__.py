"""The language of what people read: sentences are written in English, and translated where they leave the product."""

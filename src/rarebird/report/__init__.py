"""Results for people: pages of HTML, figures, and text for the terminal."""

# The product:   docker build -t rarebird .
#                docker run --rm -v "$PWD:/data" rarebird fit patients.csv --target outcome --out runs/patients
# What CI does:  docker build --target checked .
FROM python:3.11-slim AS base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make libgomp1 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/rarebird
COPY pyproject.toml constraints.txt Makefile README.md LICENSE ./
COPY src src

FROM base AS checked
COPY . .
RUN make install-dev
RUN make lint types
RUN make test docs

FROM base AS product
RUN make install
RUN useradd --create-home rarebird
USER rarebird
WORKDIR /data
ENTRYPOINT ["/opt/rarebird/.venv/bin/rarebird"]
CMD ["--help"]

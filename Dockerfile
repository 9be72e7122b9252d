# The images of docker-compose.yml that are built: `lake` (catalog, jobs, the lake command), `superset`, and the S3 servers, which nobody publishes
# any more or which are built from the same sources as those of `npm run stack`.

FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY catalog catalog
COPY src src
RUN npm run build

FROM node:24.21.0-bookworm-slim AS production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:24.21.0-bookworm-slim AS lake
ENV NODE_ENV=production NODE_OPTIONS=--disable-warning=ExperimentalWarning
WORKDIR /app
COPY --from=production /app ./
# What `lake init --example flights` copies.
COPY --from=build /app/node_modules/vega-datasets/package.json node_modules/vega-datasets/
COPY --from=build /app/node_modules/vega-datasets/build node_modules/vega-datasets/build
COPY --from=build /app/node_modules/vega-datasets/data/flights-3m.parquet /app/node_modules/vega-datasets/data/airports.csv node_modules/vega-datasets/data/
COPY --from=build /app/dist dist
COPY examples examples
COPY schemas schemas
COPY policies policies
# What docker/job.ts is made of.
COPY src src
COPY stack stack
COPY docker docker
COPY trino trino
# Volumes that are mounted there begin with this owner.
RUN mkdir /lake /credentials && chown node:node /lake /credentials \
 && printf '#!/bin/sh\nexec node /app/dist/src/cli/main.js "$@"\n' > /usr/local/bin/lake && chmod 755 /usr/local/bin/lake
USER node
WORKDIR /lake
ENTRYPOINT ["lake"]
CMD ["--help"]

FROM golang:1.26.8-bookworm AS s3-build
ENV CGO_ENABLED=0
# The versions and checksums of stack/s3-binaries.ts.
RUN go install github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c \
 && go version -m /go/bin/minio | grep -F 'h1:/qdoYujxF5MBLDMVLeiYJ/7fBa1HikX39Dvzb9Ji8pA='
RUN go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 \
 && go version -m /go/bin/versitygw | grep -F 'h1:au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc='

FROM debian:12.12-slim AS s3
RUN useradd --uid 1000 --create-home s3 && mkdir -p /data/objects /data/attributes && chown -R s3:s3 /data
USER s3

FROM s3 AS minio
COPY --from=s3-build /go/bin/minio /usr/local/bin/minio
ENTRYPOINT ["minio"]

FROM s3 AS versitygw
COPY --from=s3-build /go/bin/versitygw /usr/local/bin/versitygw
ENTRYPOINT ["versitygw"]

FROM python:3.11.14-bookworm AS superset-build
COPY superset/requirements.txt superset/constraints.txt /tmp/
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --quiet -r /tmp/requirements.txt -c /tmp/constraints.txt

FROM python:3.11.14-slim-bookworm AS superset
COPY --from=superset-build /venv /venv
RUN useradd --uid 1000 --create-home superset && mkdir /data && chown superset:superset /data
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER superset
WORKDIR /data

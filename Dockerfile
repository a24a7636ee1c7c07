# The image of the webhook: without compiler and pip, for any user, with a read-only root file system.
# The base is Red Hat's, whose OpenSSL follows a host in FIPS mode; any other with Python 3.11 or
# later works: --build-arg BASE=docker.io/library/python:3.13-slim-trixie
ARG BASE=registry.access.redhat.com/ubi9/python-312-minimal:latest

FROM ${BASE} AS build
USER 0
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all: PIP_REQUIRE_HASHES=1
COPY requirements/build.txt requirements/runtime.txt requirements/
# Dependencies first: they change less often than the code.
RUN python3 -m venv /opt/convertor-webhook \
    && /opt/convertor-webhook/bin/pip install --requirement requirements/runtime.txt \
    && python3 -m venv tools \
    && tools/bin/pip install --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY certs certs
COPY webhook webhook
RUN PIP_REQUIRE_HASHES=0 tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && PIP_REQUIRE_HASHES=0 /opt/convertor-webhook/bin/pip install --no-deps --no-index dist/*.whl \
    && /opt/convertor-webhook/bin/pip uninstall --yes pip \
    # The client's variant for asyncio, which is not used: a third of the image.
    && rm -r /opt/convertor-webhook/lib/python3*/site-packages/kubernetes/aio

FROM ${BASE}
USER 0
# The base's tools to install Python packages.
RUN ["/bin/bash", "-c", "rm -rf /{usr,usr/local,opt/app-root}/{bin/pip*,lib*/python3*/{site,dist}-packages/{pip,setuptools}*,lib*/python3*/ensurepip,share/python*-wheels}"]
COPY --from=build /opt/convertor-webhook /opt/convertor-webhook
COPY LICENSE /licenses/LICENSE
ENV PATH=/opt/convertor-webhook/bin:$PATH PYTHONDONTWRITEBYTECODE=1
WORKDIR /
# Any other user works too, as on OpenShift: all files are world-readable.
USER 1001:0
EXPOSE 8443 8080
ENTRYPOINT ["convertor-webhook"]
CMD ["serve"]
ARG VERSION=0.0.0 REVISION=
LABEL org.opencontainers.image.title="convertor-webhook" \
      org.opencontainers.image.description="Places the virt-v2v convertor pods of Forklift as their migration plan specifies" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      name="convertor-webhook" \
      summary="Mutating admission webhook that places Forklift's convertor pods" \
      version="${VERSION}"

# For operators in CI: docker build --build-arg WHEEL=hermes_provision-0.2.0-py3-none-any.whl .   (the wheel that IT built, in this folder)
FROM python:3.12-slim
ARG WHEEL
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends age git openssh-client && rm -rf /var/lib/apt/lists/*
COPY ${WHEEL} /tmp/
RUN pip install --no-cache-dir "/tmp/${WHEEL}[ansible]" && rm "/tmp/${WHEEL}" && useradd --create-home provision
USER provision
WORKDIR /workspace
ENTRYPOINT ["provision"]

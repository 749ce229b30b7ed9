"""Files that deploy impetus, all made from one plan: systemd units, a compose file, a Helm chart.

`impetus deployment DIRECTORY` writes them. A city changes the plan, or what was written; nothing reads them back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from impetus import __version__
from impetus.model import ConfigurationError

HEADER = "# Written by `impetus deployment`; change the plan instead, or keep what you change.\n"
FILES = 65_536


class Plan(BaseModel):
    """How an installation is spread out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: Annotated[str, Field(description="Container image, without its tag.")] = "impetus"
    version: Annotated[str, Field(description="Version, the image's tag.")] = __version__
    home: Annotated[str, Field(description="Folder of all state.")] = "/var/lib/impetus"
    program: Annotated[str, Field(description="Where the command is installed.")] = "/opt/impetus/bin/impetus"
    user: Annotated[str, Field(description="System user that it runs as.")] = "impetus"
    port: Annotated[int, Field(description="Port of the pages, behind a proxy with TLS.", ge=1, le=65_535)] = 8600
    metrics_port: Annotated[int, Field(description="Port of metrics and health.", ge=1, le=65_535)] = 8601
    tools: Annotated[Mapping[str, int], Field(description="Worker processes of each tool.")] = Field(
        default_factory=lambda: {"anomaly": 1, "air": 1, "cti": 1, "cyber": 1, "evacuation": 1, "workload": 1}
    )
    connectors: Annotated[tuple[str, ...], Field(description="Connectors.")] = ("mqtt",)
    nats_replicas: Annotated[int, Field(description="NATS servers that keep each message.", ge=1, le=5)] = 3
    settings: Annotated[Mapping[str, str], Field(description="Further settings, as environment variables.")] = Field(
        default_factory=dict
    )


def environment(plan: Plan, *, bus: str | None, store: str | None, host: str) -> dict[str, str]:
    """Environment variables of every process."""
    values = {
        "IMPETUS_HOME": plan.home,
        "IMPETUS_HTTP__HOST": host,
        "IMPETUS_HTTP__PORT": str(plan.port),
        "IMPETUS_METRICS__HOST": host,
        "IMPETUS_METRICS__PORT": str(plan.metrics_port),
        "IMPETUS_API__SECURE_COOKIES": "true",
        "IMPETUS_CONNECTORS": json.dumps(list(plan.connectors)),
    }
    if bus is not None:
        values |= {"IMPETUS_BUS": bus}
    if store is not None:
        values |= {"IMPETUS_STORE": store}
    return values | dict(plan.settings)


def commands(plan: Plan) -> dict[str, list[str]]:
    """The processes by name, and what follows `impetus` for each."""
    return {
        "hub": ["hub"],
        **{f"connector-{name}": ["connector", name] for name in plan.connectors},
        **{f"worker-{name}": ["worker", name] for name, count in plan.tools.items() if count},
    }


def files(plan: Plan) -> dict[str, str]:
    """All files by their path."""
    return {**_systemd(plan), **_compose(plan), **_helm(plan), "Dockerfile": _dockerfile(plan)}


def write(plan: Plan, folder: Path) -> list[Path]:
    """Write them below `folder`. Raises `ConfigurationError`."""
    written = []
    for name, text in files(plan).items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        except OSError as error:
            raise ConfigurationError(
                f"{path} cannot be written: {error.strerror}", hint="name another folder"
            ) from error
        written.append(path)
    return written


# ---- systemd: one machine, embedded bus and SQLite -------------------------------------------------------------------


def _systemd(plan: Plan) -> dict[str, str]:
    values = environment(plan, bus=None, store=None, host="127.0.0.1")
    lines = "\n".join(f"Environment={_quoted(f'{name}={value}')}" for name, value in values.items())
    hardening = f"""User={plan.user}
Group={plan.user}
StateDirectory={Path(plan.home).name}
StateDirectoryMode=0700
UMask=0077
LimitNOFILE={FILES}
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
LockPersonality=yes
SystemCallArchitectures=native
CapabilityBoundingSet=
"""
    service = f"""{HEADER}[Unit]
Description=impetus: keeps a city's public spaces safe
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={plan.program} serve
Restart=on-failure
RestartSec=2
TimeoutStopSec=30
KillMode=mixed
{lines}
EnvironmentFile=-/etc/impetus/environment
{hardening}
[Install]
WantedBy=multi-user.target
"""
    nightly = f"""{HEADER}[Unit]
Description=impetus: nightly backup

[Service]
Type=oneshot
ExecStart=/bin/sh -c '{plan.program} backup {plan.home}-backup/city-$(date +%%F).tar.gz'
Environment=IMPETUS_HOME={plan.home}
EnvironmentFile=-/etc/impetus/environment
{hardening}ReadWritePaths={plan.home}-backup
"""
    timer = f"""{HEADER}[Unit]
Description=impetus: when the backup is made

[Timer]
OnCalendar=*-*-* 03:20:00
Persistent=yes

[Install]
WantedBy=timers.target
"""
    return {
        "systemd/impetus.service": service,
        "systemd/impetus-backup.service": nightly,
        "systemd/impetus-backup.timer": timer,
    }


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


# ---- compose: one machine, with NATS and PostgreSQL beside it -------------------------------------------------------


def _compose(plan: Plan) -> dict[str, str]:
    values = environment(
        plan,
        bus="nats://nats:4222",
        store="postgresql://impetus@postgresql/impetus?passfile=/run/secrets/passfile",
        host="0.0.0.0",  # noqa: S104 inside the compose network
    )
    common = {
        "image": f"{plan.image}:{plan.version}",
        "environment": values,
        "volumes": [f"state:{plan.home}"],
        "secrets": ["passfile"],
        "restart": "unless-stopped",
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108 the container's own
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "depends_on": {"nats": {"condition": "service_started"}, "postgresql": {"condition": "service_healthy"}},
    }
    services: dict[str, object] = {}
    for name, words in commands(plan).items():
        service = {**common, "command": words}
        if name == "hub":
            service |= {
                "ports": [f"127.0.0.1:{plan.port}:{plan.port}"],
                "healthcheck": {"test": ["CMD", "python", "-c", _probe(plan)], "interval": "10s", "retries": 5},
            }
        services[name] = service
    services["nats"] = {
        "image": "nats:2.10",
        "command": ["--jetstream", "--store_dir", "/data", "--config", "/etc/nats/nats.conf"],
        "volumes": ["nats:/data", "./nats.conf:/etc/nats/nats.conf:ro"],
        "restart": "unless-stopped",
    }
    services["postgresql"] = {
        "image": "postgres:15",
        "environment": {
            "POSTGRES_USER": "impetus",
            "POSTGRES_DB": "impetus",
            "POSTGRES_PASSWORD_FILE": "/run/secrets/postgresql",
        },
        "volumes": ["postgresql:/var/lib/postgresql/data"],
        "secrets": ["postgresql"],
        "healthcheck": {"test": ["CMD", "pg_isready", "-U", "impetus"], "interval": "5s", "retries": 10},
        "restart": "unless-stopped",
    }
    content = {
        "services": services,
        "volumes": {"state": {}, "nats": {}, "postgresql": {}},
        "secrets": {
            "postgresql": {"file": "./secrets/postgresql"},
            "passfile": {"file": "./secrets/passfile"},
        },
    }
    return {
        "compose/compose.yaml": HEADER + yaml.safe_dump(content, sort_keys=False, default_flow_style=False),
        "compose/nats.conf": f"{HEADER}max_payload: 8454144\n",
    }


def _probe(plan: Plan) -> str:
    return f"import urllib.request as u; u.urlopen('http://127.0.0.1:{plan.metrics_port}/ready', timeout=5)"


def _dockerfile(plan: Plan) -> str:
    return f"""{HEADER}FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir {plan.home} --create-home {plan.user}
COPY dist/*.whl requirements.lock /build/
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r /build/requirements.lock \\
 && pip install --no-cache-dir --no-deps /build/*.whl
USER {plan.user}
VOLUME {plan.home}
ENTRYPOINT ["impetus"]
CMD ["serve"]
"""


# ---- Helm: several machines ------------------------------------------------------------------------------------------


def _helm(plan: Plan) -> dict[str, str]:
    """A chart whose values are the plan; NATS and PostgreSQL are the cluster's own."""
    chart = {
        "apiVersion": "v2",
        "name": "impetus",
        "description": "Keeps a city's public spaces safe without giving up its citizens' rights.",
        "type": "application",
        "version": plan.version,
        "appVersion": plan.version,
    }
    values = {
        "image": {"repository": plan.image, "tag": plan.version},
        "secret": "impetus",
        "storageClass": "",
        "environment": environment(
            plan,
            bus="nats://nats:4222",
            store="postgresql://impetus@postgresql/impetus?passfile=/etc/impetus/passfile",
            host="0.0.0.0",  # noqa: S104 inside the cluster
        )
        | {"IMPETUS_NATS__REPLICAS": str(plan.nats_replicas)},
        "processes": {
            name: {"command": words, "replicas": plan.tools.get(name.removeprefix("worker-"), 1)}
            for name, words in commands(plan).items()
        },
        "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
    }
    return {
        "helm/impetus/Chart.yaml": HEADER + yaml.safe_dump(chart, sort_keys=False),
        "helm/impetus/values.yaml": HEADER + yaml.safe_dump(values, sort_keys=False),
        "helm/impetus/templates/processes.yaml": HEADER + PROCESSES.replace("HOME", plan.home),
        "helm/impetus/templates/service.yaml": HEADER
        + SERVICE.replace("METRICS", str(plan.metrics_port)).replace("PORT", str(plan.port)),
    }


PROCESSES = """{{- range $name, $process := .Values.processes }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: impetus-{{ $name }}
  labels: {app: impetus, part: {{ $name }}}
spec:
  serviceName: impetus-{{ $name }}
  replicas: {{ $process.replicas }}
  selector:
    matchLabels: {app: impetus, part: {{ $name }}}
  template:
    metadata:
      labels: {app: impetus, part: {{ $name }}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 10001, fsGroup: 10001}
      containers:
        - name: impetus
          image: "{{ $.Values.image.repository }}:{{ $.Values.image.tag }}"
          args: {{ toJson $process.command }}
          env:
            {{- range $key, $value := $.Values.environment }}
            - {name: {{ $key }}, value: {{ $value | quote }}}
            {{- end }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          resources: {{ toJson $.Values.resources }}
          {{- if eq $name "hub" }}
          readinessProbe: {httpGet: {path: /ready, port: metrics}, periodSeconds: 5}
          livenessProbe: {httpGet: {path: /live, port: metrics}, periodSeconds: 10, failureThreshold: 6}
          ports:
            - {name: http, containerPort: {{ $.Values.environment.IMPETUS_HTTP__PORT }}}
            - {name: metrics, containerPort: {{ $.Values.environment.IMPETUS_METRICS__PORT }}}
          {{- end }}
          volumeMounts:
            - {name: state, mountPath: HOME}
            - {name: temporary, mountPath: /tmp}
            - {name: secret, mountPath: /etc/impetus, readOnly: true}
      volumes:
        - {name: temporary, emptyDir: {}}
        - {name: secret, secret: {secretName: {{ $.Values.secret }}}}
  volumeClaimTemplates:
    - metadata: {name: state}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $.Values.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources: {requests: {storage: 20Gi}}
{{- end }}
"""
SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: impetus
spec:
  selector: {app: impetus, part: hub}
  # One person stays with one hub while a page is open.
  sessionAffinity: ClientIP
  ports:
    - {name: http, port: PORT, targetPort: http}
    - {name: metrics, port: METRICS, targetPort: metrics}
"""

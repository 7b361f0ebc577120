"""TLS over HTTP and gRPC, against a DOUBLE of a Weaviate server. A process each: gRPC reads its roots once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("weaviate")

from store.session import Store
from tests.store.certificates import Authority
from tests.store.weaviate_double import WeaviateDouble

ROOTS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")
MEND = "name the file of the CA that signed it in both SSL_CERT_FILE (HTTP) and GRPC_DEFAULT_SSL_ROOTS_FILE_PATH (gRPC)"


def written(store: Store, double: WeaviateDouble, **roots: Path) -> str:
    """What a process says that ingests the corpus, with these variables."""
    settings = json.dumps({**double.settings, "connect_seconds": 2.0, "retries": 5, "backoff_seconds": 5.0})
    command = [sys.executable, "-m", "tests.store.weaviate_writer", str(store.url), settings]
    clean = {key: value for key, value in os.environ.items() if key not in ROOTS and "proxy" not in key.lower()}
    env = clean | {key: str(path) for key, path in roots.items()}
    done = subprocess.run(command, input="\n", capture_output=True, text=True, timeout=60, env=env, check=False)
    return done.stdout.strip().splitlines()[-1] if done.stdout else done.stderr


def test_a_server_with_the_certificate_of_a_named_authority(store: Store, notes: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate = authority.server("localhost")
    with WeaviateDouble(api_key="secret", https=certificate, grpcs=certificate) as double:
        both = {"SSL_CERT_FILE": authority.file, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": authority.file}
        assert written(store, double, **both) == "written"
        assert len(double.objects()) > 4 and double.locks() == []


@pytest.mark.parametrize(
    ("named", "host", "place", "reason"),
    [
        (ROOTS[1:2], "localhost", "https://localhost:{http}", "unable to get local issuer certificate"),
        (ROOTS[2:], "localhost", "https://localhost:{http}", "unable to get local issuer certificate"),
        (ROOTS[:1], "localhost", "localhost:{grpc}", "unable to get local issuer certificate"),
        (ROOTS[::2], "weaviate.example.org", "https://localhost:{http}", "Hostname mismatch"),
    ],
    ids=["neither named", "gRPC's alone", "HTTP's alone", "of another host"],
)
def test_a_certificate_that_is_not_trusted_is_named_at_once(
    store: Store, notes: Path, tmp_path: Path, named: tuple[str, ...], host: str, place: str, reason: str
) -> None:
    authority = Authority(tmp_path)
    certificate = authority.server(host)
    empty = tmp_path / "empty"
    empty.mkdir()
    roots = {name: empty if name.endswith("DIR") else authority.file for name in named}
    with WeaviateDouble(https=certificate, grpcs=certificate) as double:
        said = written(store, double, **roots)  # without a wait for retries: they are 5 s apart
        where = place.format(http=double.http_port, grpc=double.grpc_port)
        assert said.startswith(f"UsageError: the certificate of Weaviate at {where} is not trusted: ")
        assert reason in said and MEND in said
        assert double.calls == []

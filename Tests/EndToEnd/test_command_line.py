"""The commands: what they print, write and return."""

import os
import signal
import stat
import subprocess

import pytest
import yaml

from homeserver import BIN, Homeserver, drop_database, make_database


def run(*arguments, program="martlet", **more):
    return subprocess.run([BIN / program, *map(str, arguments)], capture_output=True, text=True, timeout=30, **more)


def test_generate_config_writes_three_files_and_refuses_to_overwrite(tmp_path):
    config = tmp_path / "homeserver.yaml"
    command = ["--server-name", "my.domain.name", "--config-path", config, "--data-directory", tmp_path, "--report-stats=no", "--generate-config"]
    first = run(*command)
    assert first.returncode == 0, first.stderr
    parsed = yaml.safe_load(config.read_text())
    assert parsed["server_name"] == "my.domain.name" and len(parsed["registration_shared_secret"]) > 20
    key = tmp_path / "my.domain.name.signing.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    algorithm, version, seed = key.read_text().split()
    assert algorithm == "ed25519" and version.startswith("a_") and len(seed) == 43
    before = config.read_text()
    second = run(*command)
    assert second.returncode != 0 and "homeserver.yaml" in second.stderr + second.stdout
    assert config.read_text() == before
    assert run("check-config", "-c", config).returncode == 0


def test_every_command_has_help():
    for arguments in ([], ["check-config"], ["hash-password"], ["generate-signing-key"]):
        answer = run(*arguments, "--help")
        assert answer.returncode == 0 and "USAGE" in answer.stdout.upper()
    assert run("--help", program="register_new_matrix_user").returncode == 0
    assert run("--nonsense").returncode != 0


@pytest.mark.parametrize("text, expected", [
    ("server_name: a.example\nlisteners: 7\n", ["homeserver.yaml:2", "listeners", "list"]),
    ("report_stats: false\n", ["server_name", "required"]),
    ("server_name: a.example\nmax_upload_size: [1]\n", ["homeserver.yaml:2", "max_upload_size"]),
    ("server_name: a.example\ndatabase: {name: mysql}\n", ["homeserver.yaml:2", "database", "mysql"]),
    ("server_name: 'not a name'\n", ["homeserver.yaml:1", "server_name"]),
    ("server_name: a.example\n  bad: indent\n", ["homeserver.yaml:2"]),
])
def test_check_config_names_file_line_and_option(tmp_path, text, expected):
    config = tmp_path / "homeserver.yaml"
    config.write_text(text)
    answer = run("check-config", "-c", config)
    assert answer.returncode != 0
    for word in expected:
        assert word in answer.stdout + answer.stderr, (word, answer.stdout, answer.stderr)


def test_an_unknown_option_is_a_warning_with_the_nearest_name(tmp_path):
    config = tmp_path / "homeserver.yaml"
    run("--server-name", "a.example", "--config-path", config, "--data-directory", tmp_path, "--report-stats=no", "--generate-config")
    config.write_text(config.read_text() + "\nenable_registraton: true\n")
    answer = run("check-config", "-c", config)
    assert "enable_registraton" in answer.stdout + answer.stderr and "enable_registration" in answer.stdout + answer.stderr


def test_hash_password_is_a_bcrypt_hash():
    answer = run("hash-password", "-p", "secret")
    assert answer.returncode == 0 and answer.stdout.strip().startswith("$2b$12$")


async def test_register_new_matrix_user(server):
    answer = run("-c", server.config, "-u", "admin", "-p", "a long password", "-a", server.base, program="register_new_matrix_user")
    assert answer.returncode == 0, answer.stderr
    taken = run("-c", server.config, "-u", "admin", "-p", "a long password", "-a", server.base, program="register_new_matrix_user")
    assert taken.returncode != 0 and "taken" in (taken.stdout + taken.stderr).lower()
    password = server.folder / "password"
    password.write_text("another password\n")
    answer = run("-c", server.config, "-u", "plain", "--password-file", password, "--no-admin", server.base, program="register_new_matrix_user")
    assert answer.returncode == 0, answer.stderr
    from homeserver import Client
    client = Client(server)
    await client.post("/_matrix/client/v3/login", {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "plain"}, "password": "another password"})
    await client.close()


async def test_sigterm_answers_open_syncs_and_ends_within_five_seconds(server, people):
    import asyncio
    alice = await people("alice")
    since = (await alice.sync())["next_batch"]
    waiting = asyncio.create_task(alice.sync(since, timeout=30000))
    await asyncio.sleep(0.3)
    code, seconds = await server.end(signal.SIGTERM)
    assert code == 0 and seconds < 5
    assert (await waiting)["next_batch"] == since


async def test_health_and_logs_without_secrets(database, tmp_path):
    log = tmp_path / "requests.log"
    (tmp_path / "log.yaml").write_text(yaml.safe_dump({
        "version": 1, "formatters": {"precise": {"format": "%(message)s"}},
        "handlers": {"file": {"class": "logging.handlers.TimedRotatingFileHandler", "formatter": "precise", "filename": str(log)}},
        "root": {"level": "INFO", "handlers": ["file"]}}))
    server = Homeserver(tmp_path / "server", database, log_config=str(tmp_path / "log.yaml"))
    try:
        await server.start()
        alice = await server.register("alice", "a very secret password")
        status, _, _ = await alice.raw("GET", "/health")
        assert status == 200
        await alice.get("/_matrix/client/v3/account/whoami")
        await alice.get(f"/_matrix/client/v3/account/whoami?access_token={alice.token}")
        os.rename(log, tmp_path / "moved.log")
        server.process.send_signal(signal.SIGHUP)
        import asyncio
        await asyncio.sleep(0.5)
        await alice.get("/_matrix/client/v3/joined_rooms")
        await alice.close()
        await server.stop()
        moved, fresh = (tmp_path / "moved.log").read_text(), log.read_text()
        assert "/account/whoami" in moved and alice.user in moved and "joined_rooms" in fresh
        for secret in (alice.token, "a very secret password", server.secret):
            assert secret not in moved + fresh + server.log()
    finally:
        await server.destroy()


@pytest.mark.parametrize("options", ["ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'", "ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"])
async def test_a_database_of_another_encoding_or_collation_is_refused_with_the_mend(tmp_path, options):
    wrong = make_database(options=options)
    server = Homeserver(tmp_path / "server", "postgres")
    try:
        section = server.database_section()
        section["args"]["database"] = wrong
        server.write_config(database=section)
        server.spawn()
        assert server.process.wait(20) != 0
        assert "CREATE DATABASE" in server.log() or "createdb" in server.log(), server.log()
    finally:
        await server.destroy()
        drop_database(wrong)


async def test_a_read_only_or_full_database_answers_5xx_and_names_the_cause(database, tmp_path):
    import resource
    server = Homeserver(tmp_path / "server", database)
    try:
        await server.start()
        alice = await server.register("alice")
        room = await alice.create_room()
        sent = [await alice.send(room, "kept")]
        if database == "sqlite":
            size = max(f.stat().st_size for f in server.folder.glob("homeserver.db*"))
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size + 4096, size + 4096))
        else:
            import psycopg2
            from homeserver import POSTGRES
            connection = psycopg2.connect(POSTGRES)
            connection.autocommit = True
            connection.cursor().execute(f"ALTER DATABASE {server.database_name} SET default_transaction_read_only = on")
            connection.cursor().execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (server.database_name,))
            connection.close()
        from homeserver import MatrixFailure
        failures = 0
        for number in range(300):
            try:
                sent.append(await alice.send(room, f"{number} " + "x" * 1000, transaction=f"t{number}"))
            except MatrixFailure as failure:
                assert 500 <= failure.status < 600, failure
                failures += 1
                if failures > 5:
                    break
        assert failures > 5
        assert server.process.poll() is None
        said = server.log().lower()
        assert any(word in said for word in ("read-only", "readonly", "full", "file size", "i/o error", "too large")), server.log()
        await alice.close()
        await server.kill()
        if database == "postgres":
            import psycopg2
            connection = psycopg2.connect(POSTGRES)
            connection.autocommit = True
            connection.cursor().execute(f"ALTER DATABASE {server.database_name} RESET default_transaction_read_only")
            connection.close()
        await server.start()
        kept = {e["event_id"] for e in await alice.messages(room)}
        assert set(sent) <= kept
        await alice.close()
    finally:
        await server.destroy()

"""The two servers that are measured, with the same configuration."""

import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "EndToEnd"), str(Path(__file__).parents[1] / "EndToEnd" / "federation")]

from homeserver import BIN, Homeserver  # noqa: E402

LOG = "version: 1\nhandlers:\n  console: {class: logging.StreamHandler}\nroot: {level: WARNING, handlers: [console]}\n"


class Measured(Homeserver):
    """A server on a processor of its own."""

    def __init__(self, folder, database):
        folder.mkdir(parents=True)
        (folder / "log.yaml").write_text(LOG)
        self.options = {"presence": {"enabled": False}, "log_config": str(folder / "log.yaml"), "trusted_key_servers": [],
                        "suppress_key_server_warning": True}
        super().__init__(folder, database, **self.options)

    def configure(self, **options):
        """From the next start on."""
        self.write_config(**self.options, **options)

    def spawn(self):
        self.output = open(self.folder / "output.log", "ab")
        command = ["taskset", "-c", "0", *self.command, "--config-path", str(self.config)]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=self.output, stderr=subprocess.STDOUT)

    async def people(self, count, prefix):
        return [await self.register(f"{prefix}{number}") for number in range(count)]


class Martlet(Measured):
    label = "Martlet"
    command = [str(BIN / "martlet")]


class Synapse(Measured):
    label = "Synapse"
    command = [sys.executable, "-m", "synapse.app.homeserver"]

"""JupyterHub for a workshop on one machine: one password for all, in a room that you trust. See docs/jupyterhub.md.

Read by `jupyterhub -f docs/hub/jupyterhub_config.py`, which puts `get_config` here. Settings come from the environment.
"""

import os
import sys
from pathlib import Path
from uuid import UUID

c = get_config()  # type: ignore[name-defined]  # noqa: F821

HERE = Path(__file__).resolve().parent
LEARNERS = Path(os.environ.get("HUB_LEARNERS", "/srv/learners")).resolve()  # a folder for each, kept over restarts
SOCKETS = LEARNERS / ".run"  # a folder for each learner's kernels, by number: a socket's path must be short
if len(os.fsencode(SOCKETS / "9999" / f"kernel-{UUID(int=0)}-ipc-5")) > 107:
    raise ValueError(f"HUB_LEARNERS is too long for the paths of sockets under it: {LEARNERS}")

c.JupyterHub.bind_url = os.environ.get("HUB_URL", "http://127.0.0.1:8000")
c.JupyterHub.hub_port = int(os.environ.get("HUB_PORT", "8081"))
c.ConfigurableHTTPProxy.api_url = os.environ.get("HUB_PROXY_API", "http://127.0.0.1:8001")
c.JupyterHub.db_url = f"sqlite:///{LEARNERS / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(LEARNERS / "cookie_secret")

# Anybody who knows the password is anybody: for a day, on a network of your own, with nothing else on this machine.
# For people with accounts on it, remove these three lines and the spawner's three: PAM and their homes are the default.
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = os.environ["HUB_PASSWORD"]  # eight characters or more
c.Authenticator.allow_all = True

c.Spawner.cmd = [str(HERE / "start")]
c.Spawner.environment = {
    "AFTER_THE_DISCONNECT_WORK": "~/after-the-disconnect",
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
}

# All servers run as the user who runs the hub; each learner has a folder, and nothing but good manners between them.
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(LEARNERS / "{username}")
c.Spawner.environment["JUPYTER_RUNTIME_DIR"] = lambda spawner: str(SOCKETS / str(spawner.user.id))

c.Spawner.default_url = "/lab/tree/after-the-disconnect/00-start-here.ipynb"
c.Spawner.args = [
    "--MappingKernelManager.cull_idle_timeout=1200",  # a kernel that nobody used for 20 minutes, its tab closed
    "--ServerApp.shutdown_no_activity_timeout=7200",  # a server without a kernel for two hours
    # Kernels on Unix sockets. Servers on one machine do not know of each other: two may choose the same free TCP port,
    # and the kernel that comes second is started on that port five times more, then given up.
    "--KernelManager.transport=ipc",
]
if os.geteuid() == 0:
    c.Spawner.args.append("--allow-root")  # in a container there may be nobody else; elsewhere do not run this as root
c.Spawner.start_timeout = c.Spawner.http_timeout = 120  # thirty at once on a small machine

"""What no test needs is not imported: the first plugin of pytest, before nbval (`-p tests.spared` in pyproject.toml).

Where rfc3987_syntax is installed, as it is with Jupyter's server, `import jsonschema` makes 38 grammars with it, which
takes more than a second in each process. They tell an IRI from what is none, and nothing here asks.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # an import of it is an ImportError now

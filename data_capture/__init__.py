"""The package of both services, the startup manager and the commands.

One folder per concern: docs/architecture.md lists them. These modules belong to no folder:

    settings.py          the table of settings; setting_types.py parses their values
    problems.py          the errors that a client can receive
    bootstrap.py         the first lines of every command
    venv.py              makes and uses .venv; pip_install.py runs pip
    json_codec.py        JSON of requests; large_json.py decodes large texts in steps, within
                         the limits of json_limits.py
    images.py            pictures in base64
    scanning.py          searches long texts in steps
    deadlines.py         a time limit for work that other requests wait for
    keys_cache.py        a cache for what follows from an object's keys
    unique_keys.py       unique keys for members whose keys would collide
    key_files.py         the keys of this installation, in files
    mail_url.py          parses EDC_MAIL_URL
    password_formats.py  checks passwords against hashes that other programs stored
"""

__version__ = "0.1.0"

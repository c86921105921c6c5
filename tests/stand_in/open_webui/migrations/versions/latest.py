"""All migrations of Open WebUI 0.12.4, at once.

Source: https://github.com/open-webui/open-webui/tree/v0.12.4/backend/open_webui/migrations/versions
"""

revision = "0bd252b206fb"
down_revision = None

"""Who can sign in: what the settings read and the components deploy. Imports nothing of this project."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pulumi


@dataclass(frozen=True, kw_only=True)
class Admin:
    """The administrator's account, made by the first migration.

    Attributes:
        email: Its e-mail address.
        name: Its name, as others see it.
        password: Its password, a secret of 72 bytes at most; None has one generated, of 32 hexadecimal digits.
    """

    email: str
    name: str = "Admin"
    password: pulumi.Input[str] | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Oidc:
    """Sign-in by an OpenID Connect provider, without the secret of its client.

    Attributes:
        provider_url: OPENID_PROVIDER_URL, its discovery document: ``https://.../.well-known/openid-configuration``.
        client_id: OAUTH_CLIENT_ID, the client registered there.
        provider_name: OAUTH_PROVIDER_NAME, what the button on the sign-in page says.
        scopes: OAUTH_SCOPES, separated by spaces.
        enable_signup: ENABLE_OAUTH_SIGNUP: who signs in for the first time gets an account.
        merge_accounts_by_email: OAUTH_MERGE_ACCOUNTS_BY_EMAIL: who has an account of the same e-mail address signs in
            to that.

    Source: https://docs.openwebui.com/features/auth/sso
    """

    provider_url: str
    client_id: str
    provider_name: str = "SSO"
    scopes: str = "openid email profile"
    enable_signup: bool = False
    merge_accounts_by_email: bool = False

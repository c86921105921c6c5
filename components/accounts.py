"""Accounts and sign-in: what the settings read and the components deploy. Imports nothing of this project."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pulumi


@dataclass(frozen=True, kw_only=True)
class Admin:
    """The administrator's account, which the first migration creates.

    Attributes:
        email: Its e-mail address.
        name: Its name, which others see.
        password: Its password, a secret of 72 bytes at most; None has one generated, of 32 hexadecimal digits.
    """

    email: str
    name: str = "Admin"
    password: pulumi.Input[str] | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Oidc:
    """Sign-in through an OpenID Connect provider, without the secret of the client.

    Attributes:
        provider_url: OPENID_PROVIDER_URL, its discovery document: ``https://.../.well-known/openid-configuration``.
        client_id: OAUTH_CLIENT_ID, the client that is registered there.
        provider_name: OAUTH_PROVIDER_NAME, the text of the button on the sign-in page.
        scopes: OAUTH_SCOPES, separated by spaces.
        enable_signup: ENABLE_OAUTH_SIGNUP: whoever signs in for the first time gets an account.
        merge_accounts_by_email: OAUTH_MERGE_ACCOUNTS_BY_EMAIL: whoever has an account with the same e-mail address
            signs in to that one.

    Source: https://docs.openwebui.com/features/auth/sso
    """

    provider_url: str
    client_id: str
    provider_name: str = "SSO"
    scopes: str = "openid email profile"
    enable_signup: bool = False
    merge_accounts_by_email: bool = False

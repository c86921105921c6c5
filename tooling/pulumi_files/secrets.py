"""Pulumi's passphrase secrets provider: AES-256-GCM under a key derived from a passphrase and a salt.

The salt string stands in the stack file (``encryptionsalt``) and in the state (``secrets_providers``), and ends in a
ciphertext of the word ``pulumi`` which tells a wrong passphrase. Cloud key services are the CLI's.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/secrets/passphrase/manager.go
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from concurrent.futures import Future
from threading import Thread
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from docker_access import redaction
from tooling.pulumi_files.errors import PulumiFilesError
from tooling.pulumi_files.values import Secret

_ROUNDS: Final = 1_000_000
_CHECK: Final = "pulumi"


class Secrets:
    """Encrypts and decrypts for one salt. Deriving the key takes a tenth of a second or more, in the background.

    Attributes:
        salt: The salt string, ``v1:<salt>:v1:<nonce>:<check>``.
        plaintexts: Every secret text met so far and what others may show of it, for masking; without very short ones.
    """

    def __init__(self, salt: str, passphrase: str) -> None:
        self.salt = salt
        self._cipher: Future[AESGCM] = Future()
        self.plaintexts = {text for text in redaction.values(passphrase) if len(text) >= redaction.SHORTEST_PART}
        self._known: set[str] = set()
        Thread(target=self._derive, args=(passphrase,), daemon=True).start()

    @classmethod
    def new(cls, passphrase: str) -> Secrets:
        """Secrets under a fresh salt."""
        raw = os.urandom(8)
        check = _encrypt(_key(passphrase, raw), _CHECK)
        return cls(f"v1:{b64encode(raw).decode()}:{check}", passphrase)

    def _derive(self, passphrase: str) -> None:
        try:
            version, raw, check = self.salt.split(":", 2)
            if version != "v1":
                raise ValueError(version)  # noqa: TRY301 - one handler for every malformed salt
            cipher = _key(passphrase, b64decode(raw, validate=True))
            found = _decrypt(cipher, check)
        except ValueError:
            self._cipher.set_exception(
                PulumiFilesError(
                    f"encryptionsalt is not a salt Pulumi wrote: {self.salt!r}. Restore the stack file from git."
                )
            )
        except InvalidTag:
            self._cipher.set_exception(
                PulumiFilesError(
                    "Wrong passphrase: it does not open this stack's secrets. Set PULUMI_CONFIG_PASSPHRASE (or "
                    "PULUMI_CONFIG_PASSPHRASE_FILE) to the one the stack was begun with."
                )
            )
        else:
            assert found == _CHECK  # noqa: S101 - GCM has authenticated it
            self._cipher.set_result(cipher)

    def try_passphrase(self) -> None:
        """Wait for the key; raises :class:`PulumiFilesError` where the passphrase is not the one of the salt."""
        self._cipher.result()

    def encrypt(self, text: str) -> str:
        """Ciphertext ``v1:<nonce>:<data>`` of a configuration value; raises :class:`PulumiFilesError`."""
        return _encrypt(self._cipher.result(), text)

    def decrypt(self, ciphertext: str) -> str:
        """The text of a ciphertext; raises :class:`PulumiFilesError` on a wrong passphrase or a damaged ciphertext."""
        text = self._decrypted(ciphertext)
        self.plaintexts |= redaction.values(text)
        return text

    def _decrypted(self, ciphertext: str) -> str:
        cipher = self._cipher.result()
        try:
            return _decrypt(cipher, ciphertext)
        except (InvalidTag, ValueError):
            raise PulumiFilesError(
                f"A secret cannot be decrypted: {ciphertext[:24]}... was not encrypted under this stack's salt. "
                "Set it again with `config set KEY VALUE --secret`, or restore the file that holds it."
            ) from None

    def seal(self, secret: Secret, name: str = "") -> str:
        """Ciphertext of a state value: of its compact JSON, the one it had before where it is unchanged.

        Args:
            secret: The value.
            name: The property it stands in.
        """
        if secret.ciphertext is None or secret.ciphertext not in self._known:
            text = json.dumps(secret.value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
            secret.ciphertext = self.encrypt(text)
            self._known.add(secret.ciphertext)
            self.plaintexts |= redaction.values_of(name, secret.value)
        return secret.ciphertext

    def learn(self, value: Any, name: str = "") -> None:
        """Have what is secret in a property masked: a preview seals nothing of what the program makes secret."""
        if isinstance(value, Secret):
            self.plaintexts |= redaction.values_of(name, value.value)
        elif isinstance(value, dict):
            for key, item in value.items():
                self.learn(item, key)
        elif isinstance(value, list):
            for item in value:
                self.learn(item, name)

    def open(self, ciphertext: str, name: str = "") -> Any:
        """The value of a ciphertext of the state file, in the property of a name."""
        value = json.loads(self._decrypted(ciphertext))
        self._known.add(ciphertext)
        self.plaintexts |= redaction.values_of(name, value)
        return value


def derive(passphrase: str, salt: bytes) -> bytes:
    """The 32 bytes of a passphrase's key."""
    # Not hashlib's: it takes twice as long under the OpenSSL 3.0 that Python is often linked with.
    return PBKDF2HMAC(SHA256(), 32, salt, _ROUNDS).derive(passphrase.encode("utf-8", "surrogateescape"))


def _key(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(derive(passphrase, salt))


def _encrypt(cipher: AESGCM, text: str) -> str:
    nonce = os.urandom(12)
    data = cipher.encrypt(nonce, text.encode(), None)
    return f"v1:{b64encode(nonce).decode()}:{b64encode(data).decode()}"


def _decrypt(cipher: AESGCM, ciphertext: str) -> str:
    version, nonce, data = ciphertext.split(":")
    if version != "v1":
        raise ValueError(version)
    return cipher.decrypt(b64decode(nonce), b64decode(data), None).decode()

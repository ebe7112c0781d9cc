"""A file from an http or https URL, kept in the store and asked for again only where it changed.

    ROOT/build/http/<sha256 of the URL>/body   the file, of mode 0600 and its Last-Modified time
                                       /about.json    etag, last_modified, sha256

The server, and where it redirects to, is a stranger: sizes are bounded by the free space, other schemes are
refused, and credentials stay with the host they were given for. It is asked for the file as it is; what is
sent as `Content-Encoding: gzip` all the same (objects of S3 that were stored so) is unpacked, once, as Go's client
does it for BuildKit, so that --checksum means the same file. Every other encoding is left as it came.
"""

from __future__ import annotations

import email.utils
import hashlib
import os
from collections.abc import Callable
from urllib.parse import urljoin

import urllib3
from urllib3.util import Url, make_headers, parse_url

from rootless import atomic
from rootless.build.context import kept
from rootless.errors import Corrupt, InvalidInput, RootlessError, Unavailable
from rootless.image import decompress
from rootless.image.decompress import ByteSource
from rootless.image.registry.connection import USER_AGENT, open_pool, reason, tls_context
from rootless.storage.store import Store

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 10
_BLOCK = 256 << 10

# The value of an Authorization header for a host (with port where it has one), or None.
Authorization = Callable[[str], "str | None"]


def directory(store: Store) -> str:
    """Where downloads are kept; whoever wants the space removes what is below it, under its locks."""
    return store.root + "/build/http"


def download(
    store: Store, url: str, target: str, *, checksum: str = "", authorization: Authorization = lambda host: None
) -> str:
    """Make the file of `url` appear at `target`, a new name in the store; its sha256 in hexadecimal.

    Not to be written to: it is the one that is kept. With `checksum` (sha256:...) nobody is asked about one that is
    kept. InvalidInput for a URL that is none, Unavailable where nobody answers as wished, Corrupt for another file.
    """
    wanted = _checksum(checksum)
    _parse(url)
    place = f"{directory(store)}/{hashlib.sha256(url.encode('utf-8', 'surrogateescape')).hexdigest()}"
    lock = kept.lock(place)
    try:
        about = _about(place)
        if not (wanted and about.get("sha256") == wanted):
            about = _refresh(place, url, about, authorization)
        if wanted and about["sha256"] != wanted:
            raise Corrupt(
                f"digest mismatch sha256:{about['sha256']}: sha256:{wanted}", hint=f"{shown(url)} is not what --checksum says"
            )
        os.link(place + "/body", target)
        return about["sha256"]
    finally:
        os.close(lock)


def _checksum(text: str) -> str:
    if not text:
        return ""
    algorithm, _, value = text.partition(":")
    if algorithm != "sha256" or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise InvalidInput(f"invalid checksum digest format: {text}", hint="write sha256: and 64 hexadecimal digits")
    return value


def _about(place: str) -> dict[str, str]:
    """What is known of the file that is kept; {} where there is none."""
    try:
        found = atomic.read_json(place + "/about.json")
        os.stat(place + "/body")
    except (OSError, ValueError):
        return {}
    known = isinstance(found, dict) and isinstance(found.get("sha256"), str)
    return {str(key): str(value) for key, value in found.items()} if known else {}


def _refresh(place: str, url: str, about: dict[str, str], authorization: Authorization) -> dict[str, str]:
    """Ask for the file, and put it in place where it is not the one that is there."""
    asked = {}
    if about.get("etag"):
        asked["If-None-Match"] = about["etag"]
    elif about.get("last_modified"):
        asked["If-Modified-Since"] = about["last_modified"]
    response = _request(url, asked, authorization)
    try:
        if response.status == 304 and about:
            return about
        if response.status != 200:
            raise Unavailable(f"invalid response status {response.status} from {shown(url)}")
        aside = place + "/body.new"
        try:
            sha256 = _save(response, aside, url)
            modified = response.headers.get("Last-Modified", "")
            when = _seconds(modified)
            os.utime(aside, (when, when))
            found = {"etag": response.headers.get("ETag", ""), "last_modified": modified, "sha256": sha256}
            # Between the two renames it is known to be nothing.
            _unlink(place + "/about.json")
            os.rename(aside, place + "/body")
            atomic.write_json(place + "/about.json", found)
        except OSError as error:
            raise RootlessError(f"cannot keep {shown(url)}: {error.strerror}") from error
        finally:
            _unlink(aside)
        return found
    except urllib3.exceptions.HTTPError as error:
        raise _unavailable(url, error) from None
    finally:
        response.close()


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _request(url: str, headers: dict[str, str], authorization: Authorization) -> urllib3.BaseHTTPResponse:
    """The answer to a GET, redirects followed; its body not read."""
    parsed = _parse(url)
    origin, credentials = _origin(parsed), _credentials(parsed, authorization)
    for _ in range(_MOST_REDIRECTS + 1):
        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
        if credentials and _origin(parsed) == origin:
            sent["Authorization"] = credentials
        bare = parsed._replace(auth=None, fragment=None)
        try:
            pool, for_proxy = open_pool(bare, tls_context(bare.netloc or ""))
            response = pool.request("GET", bare.url, headers={**sent, **for_proxy}, preload_content=False, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise _unavailable(url, error) from None
        location = response.headers.get("Location")
        if response.status not in _REDIRECTS or not location:
            return response
        response.close()
        parsed = _parse(urljoin(bare.url, location))
    raise Unavailable(f"{shown(url)} redirects more than {_MOST_REDIRECTS} times")


def _parse(url: str) -> Url:
    try:
        parsed = parse_url(url)
    except urllib3.exceptions.LocationParseError:
        raise InvalidInput(f"no proper URL: {url}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidInput(f"no URL of http or https: {shown(url)}")
    return parsed


def _origin(url: Url) -> tuple[str | None, str | None, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _credentials(url: Url, authorization: Authorization) -> str | None:
    if url.auth:
        return make_headers(basic_auth=url.auth)["authorization"]
    return authorization(url.netloc or "")


def _save(response: urllib3.BaseHTTPResponse, path: str, url: str) -> str:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, 0o600)
        left = _most(fd)
        announced = response.headers.get("Content-Length", "")
        digest = hashlib.sha256()
        if announced.isdigit() and len(announced) < 20 and int(announced) > left:
            left = 0
        body: ByteSource = _Body(response)
        if response.headers.get("Content-Encoding", "").strip().lower() == "gzip":
            body = decompress.open_gzip(body, what=shown(url))
        while left and (data := body.read(_BLOCK)):
            left = max(0, left - len(data))
            digest.update(data)
            file.write(data)
        if not left:
            raise RootlessError(
                f"{shown(url)} is larger than there is room for",
                hint="free space (`rootless system prune`) or move ROOTLESS_ROOT to a larger file system",
            )
        file.flush()
        os.fsync(fd)
    return digest.hexdigest()


def _most(fd: int) -> int:
    """How large a file may become: a little of the file system is left to others."""
    space = os.fstatvfs(fd)
    return space.f_bavail * space.f_frsize * 49 // 50


class _Body:
    """What was sent, byte by byte: urllib3 unpacks whatever is named, a gzip of a gzip too, in memory."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response

    def read(self, size: int, /) -> bytes:
        return self._response.read(size, decode_content=False)


def _seconds(modified: str) -> int:
    """Of a Last-Modified header; 0 where it says nothing, as BuildKit has it."""
    parsed = email.utils.parsedate_tz(modified)
    try:
        return max(0, email.utils.mktime_tz(parsed)) if parsed else 0
    except (OverflowError, ValueError):
        return 0


def shown(url: str) -> str:
    """The URL as errors have it: without a password."""
    head, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{head}{separator}{host.rpartition('@')[2]}{slash}{path}"


def _unavailable(url: str, error: Exception) -> Unavailable:
    return Unavailable(f"cannot fetch {shown(url)}: {reason(error)}", hint="is the address right, and is there a network?")

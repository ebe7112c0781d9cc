"""Images by the names users give them; fetching the one that `run` misses.

Composes storage (what is here) with image (what a name means, registries). Listing and removing
stand in listing.py and removal.py. Hot path.
"""

from __future__ import annotations

from rootless import user_config
from rootless.engine.state.events import events as log
from rootless.errors import InvalidInput, NotFound, Unavailable
from rootless.image import reference
from rootless.record import TYPE_CHECKING
from rootless.storage import images
from rootless.storage.images import Image
from rootless.storage.store import Store
from rootless.words import plain

if TYPE_CHECKING:
    from rootless.image.platforms import Platform
    from rootless.image.progress import Progress
    from rootless.image.registry.auth_file import Credentials
    from rootless.storage.indexes import StoredIndex

POLICIES = ("missing", "always", "never")
_HEX = frozenset("0123456789abcdef")


def find(store: Store, text: str, *, all_names: bool = True) -> Image:
    """The stored image that `text` means: a name first, then an id or a unique prefix of one.

    After one's own come those of the stores that are listed (image/stores): `published` is set then. NotFound, Conflict for an
    ambiguous prefix, InvalidInput for what is neither, in Docker's words.
    """
    try:
        return _find_own(store, text, all_names=all_names)
    except NotFound:
        if not user_config.stores():
            raise
        from rootless.engine.images import from_store

        found = from_store.find(text)
        if found is None:
            raise
        return found


def _find_own(store: Store, text: str, *, all_names: bool) -> Image:
    wrong: InvalidInput | None = None
    try:
        wanted = reference.parse(text)
        try:
            return images.find(store, wanted.canonical, all_names=all_names)
        except NotFound:
            if wanted.digest:
                return _by_digest(store, wanted)
            aliased = _by_alias(store, text) if reference.is_short(text) else None
            if aliased is not None:
                return aliased
            from rootless.storage import indexes

            if indexes.find(store, wanted.canonical) is not None:
                raise  # a list without an image for this machine
    except InvalidInput as error:
        wrong = error
    if text and _HEX.issuperset(text.removeprefix("sha256:")):
        try:
            return images.find(store, text, all_names=all_names)
        except NotFound:
            wrong = None
    if wrong is not None:
        raise wrong
    raise NotFound(f"No such image: {text}", hint="`rootless images` lists them, `rootless pull` gets more")


def _by_alias(store: Store, text: str) -> Image | None:
    """The image that a short name means by the user's registries.conf: `fedora` may be another registry's."""
    from rootless.image.registry import registries_conf

    for candidate in registries_conf.read().candidates(text):
        try:
            return images.find(store, candidate.canonical, all_names=False)
        except NotFound:
            continue
    return None


def _by_digest(store: Store, wanted: reference.Reference) -> Image:
    """`name:tag@digest` and names whose image came by tag: the digest decides, as in Docker. Of a list it means the image for this
    machine, and each of its images by its own."""
    from rootless.engine.images.platform import lists_of

    for image in images.list_images(store):
        if wanted.digest in (image.manifest.get("digest"), digest_of(image), image.id, *image.pushed.values()):
            names = [name for name in (*image.names, *image.lists) if not name.startswith("sha256:")]  # that is a list without a name
            if wanted.name in {reference.parse(name).name for name in names}:
                return image
    for name in lists_of(store, wanted):
        return images.find(store, name)
    raise NotFound(f"No such image: {wanted.familiar()}")


def is_id(text: str, image: Image) -> bool:
    """Whether `text` meant the image by its id, not by one of its names."""
    bare = text.removeprefix("sha256:")
    if not bare or not _HEX.issuperset(bare) or not image.id.removeprefix("sha256:").startswith(bare):
        return False
    try:
        return reference.parse(text).canonical not in image.names
    except InvalidInput:
        return True


def ensure(
    store: Store,
    text: str,
    *,
    policy: str = "missing",
    platform: str | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
) -> Image:
    """The image `text` means, pulled where `policy` (missing, always, never) says so.

    `platform` must be the image's; one of another platform counts as missing. Says "Unable to find
    image" on stderr before it pulls a missing one. `progress` None draws on stderr, `quiet` draws nothing.
    A pull joins the session where it unpacks. The caller holds no lease.
    """
    if policy not in POLICIES:
        raise InvalidInput(f'invalid pull option: \'{policy}\': must be one of "always", "missing" or "never"')
    image = None
    if policy != "always":
        try:
            image = _of_list(store, text, platform) if platform else None
            image = image or _find_for(store, text, platform or "")
            if platform is None or _fits(image, platform):
                return image
            if policy == "never":
                raise NotFound(f"image with reference {text} was found but does not provide the specified platform ({platform})")
        except NotFound as error:
            if policy == "never" or not _can_be_pulled(text):
                from rootless.engine.images import similar

                error.hint = similar.hint(store, text, error.hint)
                raise
        if not quiet:
            _say(f"Unable to find image '{reference.parse(text).familiar()}' locally")
    try:
        return pull(store, text, platform=platform, progress=progress, quiet=quiet)
    except (NotFound, Unavailable) as error:
        from rootless.engine.images import similar

        error.hint = similar.hint(store, text, error.hint, of_another_platform=image)
        raise


def pull(
    store: Store,
    text: str,
    *,
    platform: str | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
    tls_verify: bool = True,
    credentials: Credentials | None = None,
) -> Image:
    """Fetch `text` from its registry and unpack it; see image.pull for errors. `credentials` stand for the user's own."""
    from rootless.engine.images import budget
    from rootless.image import progress as events
    from rootless.image.transfer import pull as fetching

    wanted: Platform | None = None
    if platform:
        from rootless.image import platforms

        wanted = platforms.parse(platform)
    listener = events.silent if quiet or progress is None else progress
    with budget.kept(store):
        image = fetching.pull(
            store, text, platform=wanted, progress=listener, tls_verify=tls_verify, credentials=credentials
        )
        log.write(store, "image", "pull", image.id, name=text)
        from rootless.engine.images.repair import sync_in_background

        sync_in_background(store)
    return image


def _can_be_pulled(text: str) -> bool:
    """Whether `text` is a name and not an id, so that a registry may know it."""
    try:
        reference.parse(text)
    except InvalidInput:
        return False
    return not text.startswith("sha256:")


def find_for(store: Store, text: str, platform: str) -> Image:
    """As `find`, of `platform` ("": whichever is found): that image of a list, or the one there is if it is of it.
    NotFound, in Docker's words, where there is none; InvalidInput for what is no platform."""
    if not platform:
        return find(store, text)
    from rootless.engine.images.platform import require

    image = _of_list(store, text, platform) or _find_for(store, text, platform, all_names=True)
    require(image, text, platform)
    return image


def _find_for(store: Store, text: str, platform: str, *, all_names: bool = False) -> Image:
    """As `find`; of a store's images that a name means, the one for `platform` ("": this machine), or any."""
    image = find(store, text, all_names=all_names)
    if platform and image.published:
        from rootless.engine.images import from_store

        return from_store.find(text, platform) or image
    return image


def index_of(store: Store, text: str) -> StoredIndex | None:
    """The index of several images that `text` means: a name, or the id of one that has no name."""
    from rootless.engine.images.platform import lists_of
    from rootless.storage import indexes

    try:
        wanted = reference.parse(text)
        stored = indexes.find(store, next(iter(lists_of(store, wanted)), wanted.canonical))
    except InvalidInput:
        stored = None
    return stored or indexes.find_by_id(store, text)


def _of_list(store: Store, text: str, platform: str) -> Image | None:
    """The image for `platform`, where `text` means an index of several (storage/indexes.py) that has one."""
    stored = index_of(store, text)
    if stored is None:
        return None
    from rootless.engine.images.platform import of_index

    try:
        return of_index(store, stored, text, platform)
    except NotFound:
        return None


def _fits(image: Image, platform: str) -> bool:
    from rootless.image import platforms

    return platforms.select([platforms.of(image.config)], platforms.parse(platform)) is not None


def _say(line: str) -> None:
    import sys

    print(plain(line), file=sys.stderr, flush=True)


def tag(store: Store, source: str, target: str) -> None:
    """Give the image, or the index of several, that `source` means the further name `target`."""
    from rootless.storage import indexes

    wanted = reference.parse(target)
    if wanted.digest:
        raise InvalidInput("refusing to create a tag with a digest reference")
    stored = index_of(store, source)
    if stored is not None:
        indexes.tag(store, stored.id, wanted.canonical)
        log.write(store, "image", "tag", stored.id, name=familiar(wanted.canonical))
        return
    image = find(store, source, all_names=False)
    if image.published:
        from rootless.engine.images import from_store

        image = from_store.owned(store, image.id, "a name of your own is one of an image of your own", image)
    images.tag(store, image.id, wanted.canonical)
    log.write(store, "image", "tag", image.id, name=familiar(wanted.canonical))


def familiar(name: str) -> str:
    """A canonical name as people write it; what does not parse (an older version wrote it) as it is."""
    try:
        return reference.parse(name).familiar()
    except InvalidInput:
        return name


def digest_of(image: Image) -> str:
    """The digest people pin: the index's where the image came by one, else its manifest's; or ""."""
    return str(image.manifest.get("topDigest") or image.manifest.get("digest") or "")


def repo_digests(image: Image) -> list[str]:
    """`debian@sha256:...` for each repository that the image is named in or was pushed to."""
    digest = digest_of(image)
    names = {familiar(name).partition("@")[0] for name in image.names}
    found = {reference.parse(name).familiar_name(): digest for name in names if digest}
    for repository, pushed in image.pushed.items():
        found[familiar(repository).rpartition(":")[0]] = pushed
    return [f"{repository}@{found[repository]}" for repository in sorted(found)]

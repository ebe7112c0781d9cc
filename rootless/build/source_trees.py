"""What the steps of a build read besides the layers below them: contexts, other stages, images.

Opened when a step wants it and kept until the end. Workers are forked and inherit what is open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

from rootless import jsontext
from rootless.build.cache import digests, keys
from rootless.build.context.file_hashes import FileHashes
from rootless.build.context.source_tree import SourceTree
from rootless.build.copy import step as copies
from rootless.build.execute.stage_root import view
from rootless.build.execute.tree import Tree
from rootless.build.plan.sources import ContextSource, ImageSource, Scratch, Source, StageSource
from rootless.build.plan.steps import CopyStep, InlineSource, PathSource
from rootless.build.remotecache.imported import Absent, Imported
from rootless.build.request import BuildRequest
from rootless.build.secrets import authorization
from rootless.build.stage_state import StageState
from rootless.engine.state import emulated_ids
from rootless.storage.images import Image
from rootless.storage.layers import image_owners
from rootless.storage.owner_file import LinkOwners
from rootless.storage.store import Store

if TYPE_CHECKING:
    from rootless.build.contexts import Contexts


class SourceTrees:
    """A context manager. `stages` are the coordinator's, by index; `images` all that are read; `contexts` opens those."""

    def __init__(
        self,
        store: Store,
        request: BuildRequest,
        stages: dict[int, StageState],
        images: dict[ImageSource, Image],
        contexts: Contexts,
        imported: Imported,
    ) -> None:
        self._imported = imported
        self.digests: dict[str, str] = {}  # the answers that were had, by their questions
        self._seen_by_ourselves = False
        self._store = store
        self._request = request
        self._stages = stages
        self._images = images
        self._contexts = contexts
        self._open: dict[Source, SourceTree] = {}
        self._stack = ExitStack()

    def __enter__(self) -> SourceTrees:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def in_worker(self) -> SourceTrees:
        """The same for a worker: what is open stays so, what it opens goes with it."""
        found = SourceTrees(self._store, self._request, self._stages, self._images, self._contexts, self._imported)
        found._open = dict(self._open)
        return found

    def layers(self, source: Source) -> list[str]:
        """The layers of a stage that is done, or of an image."""
        if isinstance(source, StageSource):
            return self._stages[source.number].layers
        return list(self._images[source].diff_ids) if isinstance(source, ImageSource) else []

    def chain(self, source: Source) -> str:
        """What names their files."""
        if isinstance(source, StageSource):
            return self._stages[source.number].chain
        return keys.base_chain(self.layers(source))

    def tree(self, source: Source) -> SourceTree:
        """The open tree; ours."""
        found = self._open.get(source)
        if found is None:
            found = self._contexts.tree(source) if isinstance(source, ContextSource) else self._tree_of_layers(source)
            self._open[source] = found
        return found

    def _tree_of_layers(self, source: Source) -> SourceTree:
        root = self._stack.enter_context(self._view(self.layers(source)))
        name = "the stage" if isinstance(source, StageSource) else getattr(source, "reference", "scratch")
        emulated = emulated_ids.made_so(self._store, self.layers(source))
        links = LinkOwners({}).with_images(image_owners.of_links(self._store, self.layers(source)))
        return SourceTree(root, FileHashes(None, root_fd=root), name, keeps_owners=True, emulated=emulated, links=links)

    def as_directory(self, source: ContextSource) -> Tree:
        """A context for a RUN to mount: its directory, and what is to be hidden of it."""
        return self._contexts.as_directory(source)

    def opened(self, step: CopyStep, *, epoch: int | None) -> AbstractContextManager[copies.OpenCopy]:
        """The copy with all its sources at hand; what is remote is fetched with the secrets and the agent of the request."""
        socket = self._request.ssh.get("default", "")
        return copies.opened(
            self._store, step, self.tree, epoch=epoch, ssh_socket=socket, authorization=authorization(self._request.secrets)
        )

    @property
    def imports(self) -> bool:
        """Whether the build has caches from elsewhere."""
        return bool(self._imported.origins)

    @contextmanager
    def believing_no_cache(self) -> Iterator[None]:
        """Meanwhile digests are of what is here, whatever an imported cache says of it."""
        self._seen_by_ourselves = True
        try:
            yield
        finally:
            self._seen_by_ourselves = False

    def digest(self, state: StageState, step: CopyStep) -> str:
        """The digest of what the copy will write, read from its sources where it is not known."""
        question = self._question(state, step)
        known = digests.read(self._store, question) if question else ""
        if question and not known and not self._seen_by_ourselves:
            known = self._imported.digest(question)
        if known:
            self.digests[question] = known
            return known
        with (
            self._contexts.being_read(step),
            self.opened(step, epoch=state.plan.epoch) as copy,
        ):
            found = copies.key_part(copy, lambda: self._view(state.layers))
        if question:
            self.digests[question] = found
            digests.write(self._store, question, found)
        return found

    def learn(self, state: StageState, step: CopyStep, digest: str) -> None:
        """What a copy has written is what is remembered and passed on, whatever an imported cache said of it."""
        question = self._question(state, step)
        if question and self.digests.get(question) != digest:
            self.digests[question] = digest
            digests.write(self._store, question, digest)

    def _view(self, layers: list[str]) -> AbstractContextManager[int]:
        """The root that they make; Absent where some have to be fetched first."""
        absent = self._imported.absent(layers)
        if absent:
            raise Absent(absent)
        return view(self._store, layers)

    def _question(self, state: StageState, step: CopyStep) -> str:
        """What the digest depends on, where all of it is known by name: nothing comes from a context or the network."""
        parts: list[object] = []
        for source in step.sources:
            if isinstance(source, PathSource) and isinstance(source.from_, (StageSource, ImageSource, Scratch)):
                parts.append([self.chain(source.from_), *source.patterns])
            elif isinstance(source, InlineSource):
                parts.append({source.filename: source.content})
            else:
                return ""
        users = state.chain if step.chown else ""
        rest = [step.destination, step.add, step.chown, users, step.chmod, step.link, step.parents, list(step.excludes)]
        text = jsontext.dumps([parts, rest, step.unpack, state.plan.epoch])
        return hashlib.sha256(text.encode()).hexdigest()

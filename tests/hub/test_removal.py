"""What goes and what stays when models are removed from a cache whose repositories share blobs."""

from __future__ import annotations

import shutil

import pytest

from llavacli_core import errors
from llavacli_core.hub.cache import Repository
from llavacli_core.hub.inventory import cached_models
from llavacli_core.hub.shelf import plan_removal, plan_verification
from llavacli_core.hub.verify import Checked
from tests.hub.conftest import NAME, SHARDS
from tests.hub.fake_hub import COMMIT


@pytest.fixture
def sharing(pulled, cached):
    """Two repositories of the same files, whose weights are links to huggingface_hub's store of shared blobs."""
    store = pytest.importorskip("huggingface_hub.utils._shared_blobs")
    other = Repository(cached.folder.with_name("models--org--other"))
    shutil.copytree(cached.folder, other.folder, symlinks=True)
    for repository in (cached, other):
        for number, shard in enumerate(SHARDS):
            blob = (repository.snapshot(COMMIT) / shard).resolve()
            size = blob.stat().st_size
            where = {"blob_path": str(blob), "cache_dir": str(cached.folder.parent), "expected_size": size}
            assert store.publish_blob_to_shared_store(xet_hash=f"{number}" * 64, replace_existing=False, **where)
    return cached, other


def problems(name):
    return [each for each in plan_verification(name).run() if isinstance(each, Checked) and each.problem]


def test_shared_blobs_go_with_the_last_that_has_them(sharing):
    first, second = sharing
    assert not problems(NAME)
    weights = sum((second.snapshot(COMMIT) / shard).stat().st_size for shard in SHARDS)
    removal = plan_removal(NAME)
    assert removal.freed < 10_000  # the other still has the weights
    removal.run()
    assert not first.folder.exists()
    assert not problems("org/other")
    removal = plan_removal("org/other")
    assert removal.freed >= weights
    removal.run()
    assert not list(second.folder.parent.glob("models--*"))
    assert sum(path.stat().st_size for path in second.folder.parent.rglob("*") if path.is_file()) < 1000


def test_a_download_that_was_cut_short_goes_as_a_whole(cached):
    cached.blob("").mkdir(parents=True)
    (cached.blob("a" * 64 + ".incomplete")).write_bytes(bytes(5000))
    removal = plan_removal(NAME, cache=cached.folder.parent)
    assert removal.freed == 5000
    removal.run()
    assert not cached.folder.exists()


def test_what_a_snapshot_leads_to_elsewhere_stays(pulled, cached, tmp_path):
    (tmp_path / "mine.json").write_text("{}")
    (pulled / "mine.json").symlink_to(tmp_path / "mine.json")
    plan_removal(NAME, revision=COMMIT).run()
    assert (tmp_path / "mine.json").exists()
    assert not cached.folder.exists()


def test_revisions_that_are_not_there_or_not_clear(pulled, cached):
    (cached.folder / "snapshots" / (COMMIT[:10] + "f" * 30)).mkdir()
    with pytest.raises(errors.BadOption, match="the beginning of 2 revisions"):
        plan_removal(NAME, revision=COMMIT[:8])
    for revision in ("v9", "../../..", "ffff"):
        with pytest.raises(errors.ModelMissing, match="no revision"):
            plan_removal(NAME, revision=revision)
    assert [model.revision for model in cached_models(cached.folder.parent)] == [COMMIT]


def test_what_cannot_be_removed_is_an_error_of_ours(pulled, cached, monkeypatch):
    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(errors.CannotWrite, match="Permission denied"):
        plan_removal(NAME).run()

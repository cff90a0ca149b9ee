"""Which sources decide what a module does."""

import pytest

from regrow.sources import source_digests

FILES = {
    "__init__.py": "",
    "start.py": "from sourced import near\nimport json\n",
    "near.py": "def far_off():\n    from sourced.deep.far import thing\n    return thing\n",
    "deep/__init__.py": "",
    "deep/far.py": "import sourced.start\nthing = 1\n",
    "stranger.py": "raise RuntimeError('nobody asked')\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    for name, text in FILES.items():
        file = tmp_path / "sourced" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "sourced"


def digests():
    return source_digests(["sourced.start"], ["sourced"])


def test_all_that_is_imported_counts_wherever_it_stands_and_nothing_else(package):
    assert set(digests()) == {"sourced", "sourced.start", "sourced.near", "sourced.deep", "sourced.deep.far"}
    assert set(source_digests(["sourced.start"], ["sourced.start"])) == {"sourced.start"}


@pytest.mark.parametrize(("file", "counts"), [("deep/far.py", True), ("stranger.py", False)])
def test_a_change_shows_where_it_counts(package, file, counts):
    before = digests()
    (package / file).write_text("thing = 2\n")
    assert (digests() != before) == counts


def test_a_base_policy_is_fitted_anew_for_what_fits_it_and_not_for_engines():
    fitting = source_digests(["policy.train", "policy.base"], ["policy"])
    assert {"policy.losses.supervised", "policy.fitting", "policy.tokenizer"} < set(fitting)
    assert not {"policy.critic", "policy.vllm_policy", "policy.server_policy", "policy.sampler"} & set(fitting)

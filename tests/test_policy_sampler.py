import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from policy.sampler import sample, streams, uniforms

seeds = st.integers(0, 2**64 - 1)
ALMOST_ONE = 1 - 2.0**-53


def uniform(seed, index, position):
    return float(uniforms(streams(np.array([seed], np.uint64), np.array([index], np.uint64)), position)[0])


def splitmix64(x):
    """SplitMix64 in arithmetic of unbounded integers."""
    mask = 2**64 - 1
    x = (x + 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)


def one(logits, temperature, u):
    tokens, logprobs = sample(np.array([logits], np.float32), np.array([temperature]), np.array([u]))
    return int(tokens[0]), float(logprobs[0])


@given(seeds, st.integers(0, 1000), st.integers(0, 1000))
def test_uniform_numbers_are_the_hash_of_seed_sample_and_position(seed, index, position):
    golden = 0x9E3779B97F4A7C15
    key = splitmix64(splitmix64(seed) + index * golden)
    expected = (splitmix64(key + position * golden) >> 11) / 2**53
    assert uniform(seed, index, position) == expected
    assert 0 <= expected < 1


def test_the_first_splitmix64_output_is_the_published_one():
    assert splitmix64(0) == 0xE220A8397B1DCDAF


@pytest.mark.parametrize("axis", ["seed", "sample", "position"])
def test_uniform_numbers_are_uniform_and_uncorrelated_along_every_axis(axis):
    n = 20_000
    varied = np.arange(n, dtype=np.uint64)
    fixed = np.full(n, 7, np.uint64)
    if axis == "position":
        u = np.array([uniforms(streams(fixed[:1], fixed[:1]), i)[0] for i in range(n)])
    else:
        u = uniforms(streams(varied, fixed) if axis == "seed" else streams(fixed, varied), 3)
    counts = np.histogram(u, bins=50, range=(0, 1))[0]
    chi_square = ((counts - n / 50) ** 2 / (n / 50)).sum()
    assert chi_square < 100, "49 degrees of freedom: 100 is exceeded once in 50,000 tries"
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 0.03


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 40)), elements=st.floats(-1e4, 1e4, width=32)),
    st.data(),
)
def test_a_drawn_token_is_in_range_and_has_positive_probability(logits, data):
    rows = len(logits)
    u = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.3, 0.999, ALMOST_ONE]), min_size=rows, max_size=rows)))
    temperature = np.array(data.draw(st.lists(st.sampled_from([0.0, 1e-3, 1.0, 9.0]), min_size=rows, max_size=rows)))
    tokens, logprobs = sample(logits, temperature, u)
    assert ((tokens >= 0) & (tokens < logits.shape[1])).all()
    chosen = logits[np.arange(rows), tokens].astype(np.float64)
    at = np.where(temperature == 0, 1.0, temperature)
    assert (np.exp((chosen - logits.max(axis=1)) / at) > 0).all()
    assert np.isfinite(logprobs).all()
    assert (logprobs <= 0).all()


@given(st.lists(st.one_of(st.just(-np.inf), st.floats(-5, 5)), min_size=2, max_size=9), st.floats(0, ALMOST_ONE))
def test_a_forbidden_token_is_never_drawn(logits, u):
    logits[len(logits) // 2] = 1.0
    token, _ = one(logits, 1.0, u)
    assert logits[token] > -np.inf


def test_the_ends_of_the_unit_interval_hit_the_first_and_last_possible_token():
    assert one([-np.inf, 0, 0, -np.inf], 1.0, 0.0)[0] == 1
    assert one([-np.inf, 0, 0, -np.inf], 1.0, ALMOST_ONE)[0] == 2


def test_tokens_are_drawn_as_often_as_their_tempered_probability():
    u = np.linspace(0, 1, 10_000, endpoint=False)
    logits = np.log(np.tile(np.array([0.1, 0.6, 0.3], np.float32), (len(u), 1)))
    tokens, logprobs = sample(logits, np.full(len(u), 0.5), u)
    tempered = np.array([0.1, 0.6, 0.3]) ** 2
    assert np.bincount(tokens) / len(u) == pytest.approx(tempered / tempered.sum(), abs=2e-4)
    assert np.exp(logprobs) == pytest.approx(np.array([0.1, 0.6, 0.3])[tokens], rel=1e-5)


def test_temperature_zero_takes_the_first_of_the_most_likely_tokens():
    assert one([0.0, 2.0, 2.0, 1.0], 0.0, 0.999)[0] == 1


@given(seeds)
def test_a_row_does_not_depend_on_the_other_rows(seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(17, 61)).astype(np.float32)
    temperature, u = rng.choice([0.0, 0.7, 1.0], 17), rng.random(17)
    tokens, logprobs = sample(logits, temperature, u)
    for b in range(17):
        alone = sample(logits[b : b + 1], temperature[b : b + 1], u[b : b + 1])
        assert alone[0][0] == tokens[b]
        assert alone[1][0] == logprobs[b]


def test_diverged_logits_are_named_as_such():
    with pytest.raises(ValueError, match="weights have diverged"):
        one([0.0, np.nan], 1.0, 0.5)


def test_padding_and_unknown_words_are_never_drawn_and_leave_the_log_probabilities_alone():
    logits = np.array([[9.0, 1.0, 0.0]] * 200 + [[9.0, 1.0, 0.0]], np.float32)
    temperature = np.array([1.0] * 200 + [0.0])
    u = np.linspace(0, 0.999, 201)
    tokens, logprobs = sample(logits, temperature, u, np.array([True, False, False]))
    assert set(tokens.tolist()) == {1, 2}
    assert tokens[-1] == 1
    full = logits[0] - np.log(np.exp(logits[0].astype(np.float64)).sum())
    np.testing.assert_allclose(logprobs, full[tokens], rtol=1e-6)

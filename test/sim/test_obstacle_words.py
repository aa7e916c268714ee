import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_sim.obstacle_words import places_of, places_text
from racer_sim.race_format import LEFT, RIGHT
from racer_vehicle.errors import ConfigError


def test_places_are_read_as_people_type_them():
    assert places_of('0.2,left  0.65,right') == ((0.2, LEFT), (0.65, RIGHT))
    assert places_of(' ') == ()


@given(st.lists(st.tuples(st.floats(0.0, 1.0, exclude_max=True), st.sampled_from([LEFT, RIGHT])),
                max_size=6))
def test_what_is_written_is_read_again(places):
    read = places_of(places_text(tuple(places)))
    assert [lane for _, lane in read] == [lane for _, lane in places]
    assert [share for share, _ in read] == pytest.approx([share for share, _ in places], abs=1e-15)


@given(st.text(max_size=20))
def test_other_words_are_refused_or_are_places(text):
    try:
        places = places_of(text)
    except ConfigError as error:
        assert 'as in "0.2,left 0.6,right"' in str(error)
    else:
        assert all(0.0 <= share < 1.0 for share, _ in places)


@pytest.mark.parametrize('text', ['1.0,left', '0.2', '0.2,middle', '0.2,left,', '-0.1,left',
                                  'nan,left', '1e-3,left', '0.2 left'])
def test_places_off_the_lap_are_refused(text):
    with pytest.raises(ConfigError, match='share of the lap from 0 to below 1'):
        places_of(text)

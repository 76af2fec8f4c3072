from locker.documents.fields import rows

SCHEMA = {
    "properties": {
        "family_name": {"names": {"ar": "الاسم العائلي", "fr": "Nom", "zgh": "ⴰⵙⵙⴰⵖ", "en": "Family name"}},
        "place": {"title": "Place", "properties": {"city": {"title": "City"}}},
    }
}


def test_fields_follow_the_order_of_the_schema_and_speak_its_languages() -> None:
    found = rows({"place": {"city": "Fès"}, "family_name": "Alaoui", "other": 3}, SCHEMA)
    assert [(row.labels["fr"], row.value) for row in found] == [
        ("Nom", "Alaoui"),
        ("Place · City", "Fès"),
        ("other", "3"),
    ]
    assert found[0].labels["ar"] == "الاسم العائلي"


def test_lists_and_truths_are_text_and_absence_is_no_row() -> None:
    found = rows({"a": [1, "x"], "b": True, "c": None}, {})
    assert [row.value for row in found] == ["1 · x", "✓"]

"""The names of the files in a run's folder."""

RECIPE, RESULT, REPORT, DATA, MODEL = "recipe.toml", "result.json", "report.html", "data.json", "model"
TEST_ROWS, HELD_OUT_ROWS = "test_predictions.csv", "held_out_predictions.csv"

"""The scikit-learn face: a classifier and a regressor that fit, predict, clone, pickle and search as scikit-learn's own
do."""

from rarebird.estimator.classifier import RarebirdClassifier as RarebirdClassifier
from rarebird.estimator.regressor import RarebirdRegressor as RarebirdRegressor

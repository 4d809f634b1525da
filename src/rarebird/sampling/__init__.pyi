# Written by `make faces`.
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from torch import Tensor

from rarebird.sampling.sampler import MethodSampler

__all__ = ["ADASYN", "BorderlineSMOTE", "ClusterCentroids", "EditedNearestNeighbours", "NearMiss", "OneSidedSelection", "RandomOverSampler", "RandomUnderSampler", "SMOTE", "SMOTEENN", "SMOTETomek", "TomekLinks"]

class ADASYN(MethodSampler):
    r"""SMOTE with more new rows where a rare row has more neighbors of other classes.

    Args:
        neighbors: Nearest rows: those of any class show how hard a row is, those of its own class are drawn from.
        standardize: Whether distances are of numbers divided by their standard deviation.
        sampling_strategy: As that of imbalanced-learn's samplers of the same kind: which classes change and, except for
            cleaning, to how many rows.
        random_state: An integer, a `RandomState`, or None for other draws each time.
    """

    def __init__(
        self,
        *,
        neighbors: int = 5,
        standardize: bool = True,
        sampling_strategy: Any = 'auto',
        random_state: Any = None,
    ) -> None: ...

class BorderlineSMOTE(MethodSampler):
    r"""SMOTE that starts new rows only at rare rows on the border to other classes.

    Args:
        neighbors: Nearest rows of the class, one of which is drawn.
        border_neighbors: Nearest rows of any class; their classes decide whether a row is in danger.
        standardize: Whether distances are of numbers divided by their standard deviation.
        sampling_strategy: As that of imbalanced-learn's samplers of the same kind: which classes change and, except for
            cleaning, to how many rows.
        random_state: An integer, a `RandomState`, or None for other draws each time.
    """

    def __init__(
        self,
        *,
        neighbors: int = 5,
        border_neighbors: int = 10,
        standardize: bool = True,
        sampling_strategy: Any = 'auto',
        random_state: Any = None,
    ) -> None: ...

class ClusterCentroids(MethodSampler):
    r"""Replace the rows of each common class by cluster centers, or by the rows nearest to them.

    Args:
        voting: ``hard`` keeps the row nearest to each center, ``soft`` makes the mean row of each cluster.
        sampling_strategy: As that of imbalanced-learn's samplers of the same kind: which classes change and, except for
            cleaning, to how many rows.
        random_state: An integer, a `RandomState`, or None for other draws each time.
    """

    def __init__(
        self,
        *,
        voting: Literal["hard", "soft"] = 'hard',
        sampling_strategy: Any = 'auto',
        random_state: Any = None,
    ) -> None: ...

class EditedNearestNeighbours(MethodSampler):
    r"""Remove rows of common classes whose nearest neighbors are of other classes.

    Args:
        neighbors: Number of nearest rows that a row is compared with.
        agreement: ``all`` of them must be of the row's class, or it must be their ``mode``.
        sampling_strategy: As that of imbalanced-learn's samplers of the same kind: which classes change and, except for
            cleaning, to how many rows.
        random_state: An integer, a `RandomState`, or None for other draws each time.
    """

    def __init__(
        self,
        *,
        neighbors: int = 3,
        agreement: Literal["all", "mode"] = 'all',
        sampling_strategy: Any = 'auto',
        random_state: Any = None,
    ) -> None: ...

class NearMiss(MethodSampler):
    r"""Keep only the rows of each common class that are nearest to the smallest class.

    Args:
        version: 1, 2 or 3.
        neighbors: Rows of the smallest class over which a row's distance is averaged.
        candidates: For version 3, nearest rows of a common class for each row of the smallest class.
        sampling_strategy: As that of imbalanced-learn's samplers of the same kind: which classes change and, except for
            cleaning, to how many rows.
        random_state: An integer, a `RandomState`, or None for other draws each time.
    """

    def __init__(
        self,
        *,
        version: Literal[1, 2, 3] = 1,
        neighbors: int = 3,
        candidates: int = 3,
        sampling_strategy: Any = 'auto',
        random_state: Any = None,
    ) -> None: ...

class OneSidedSelection(MethodSampler):
    r"""Remove common rows that add no information, and then those on the border.

    Args:
        sampling_strategy: As that of imbalanced-learn's samplers of the same kind: which classes change and, except for
            cleaning, to how many rows.
        random_state: An integer, a `RandomState`, or None for other draws each time.
    """

    def __init__(
        self,
        *,
        sampling_strategy: Any = 'auto',
        random_state: Any = None,
    ) -> None: ...

class RandomOverSampler(MethodSampler):
    r"""Repeat random rows of rare classes until every class has a given number of rows.

    Args:
        sampling_strategy: As that of imbalanced-learn's samplers of the same kind: which classes change and, except for
            cleaning, to how many rows.
        random_state: An integer, a `RandomState`, or None for other draws each time.
    """

    def __init__(
        self,
        *,
        sampling_strategy: Any = 'auto',
        random_state: Any = None,
    ) -> None: ...

class RandomUnderSampler(MethodSampler):
    r"""Remove random rows of common classes.

    Args:
        sampling_strategy: As that of imbalanced-learn's samplers of the same kind: which classes change and, except for
            cleaning, to how many rows.
        random_state: An integer, a `RandomState`, or None for other draws each time.
    """

    def __init__(
        self,
        *,
        sampling_strategy: Any = 'auto',
        random_state: Any = None,
    ) -> None: ...

class SMOTE(MethodSampler):
    r"""Make new rows of rare classes between a row and one of its nearest neighbors of the same class.

    Args:
        neighbors: Nearest rows of the class, one of which is drawn.
        standardize: Whether distances are of numbers divided by their standard deviation.
        sampling_strategy: As that of imbalanced-learn's samplers of the same kind: which classes change and, except for
            cleaning, to how many rows.
        random_state: An integer, a `RandomState`, or None for other draws each time.
    """

    def __init__(
        self,
        *,
        neighbors: int = 5,
        standardize: bool = True,
        sampling_strategy: Any = 'auto',
        random_state: Any = None,
    ) -> None: ...

class SMOTEENN(MethodSampler):
    r"""SMOTE, and then remove every row, new ones included, whose neighbors are of other classes.

    Args:
        neighbors: Nearest rows of the class, one of which SMOTE draws.
        cleaning_neighbors: Number of nearest rows that a row is compared with.
        agreement: ``all`` of them must be of the row's class, or it must be their ``mode``.
        classes: Classes that rows are removed from: ``all``, ``not_minority`` (all but the smallest after SMOTE) or ``majority``.
        sampling_strategy: As that of imbalanced-learn's samplers of the same kind: which classes change and, except for
            cleaning, to how many rows.
        random_state: An integer, a `RandomState`, or None for other draws each time.
    """

    def __init__(
        self,
        *,
        neighbors: int = 5,
        cleaning_neighbors: int = 3,
        agreement: Literal["all", "mode"] = 'all',
        classes: Literal["not_minority", "majority", "all"] = 'all',
        sampling_strategy: Any = 'auto',
        random_state: Any = None,
    ) -> None: ...

class SMOTETomek(MethodSampler):
    r"""SMOTE, and then remove both ends of every Tomek link, new rows included.

    Args:
        neighbors: Nearest rows of the class, one of which SMOTE draws.
        classes: Classes that rows are removed from: ``all``, ``not_minority`` (all but the smallest after SMOTE) or ``majority``.
        sampling_strategy: As that of imbalanced-learn's samplers of the same kind: which classes change and, except for
            cleaning, to how many rows.
        random_state: An integer, a `RandomState`, or None for other draws each time.
    """

    def __init__(
        self,
        *,
        neighbors: int = 5,
        classes: Literal["not_minority", "majority", "all"] = 'all',
        sampling_strategy: Any = 'auto',
        random_state: Any = None,
    ) -> None: ...

class TomekLinks(MethodSampler):
    r"""Remove rows of common classes that are mutual nearest neighbors with a row of another class.

    Args:
        sampling_strategy: As that of imbalanced-learn's samplers of the same kind: which classes change and, except for
            cleaning, to how many rows.
        random_state: An integer, a `RandomState`, or None for other draws each time.
    """

    def __init__(
        self,
        *,
        sampling_strategy: Any = 'auto',
        random_state: Any = None,
    ) -> None: ...

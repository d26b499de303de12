"""Trusted half of vehicle routing: draws the customers, proves the routes, and measures them against savings routes."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer


class Task(spec.Task):
    """Problem: ``depot`` (2,), ``customers`` (n, 2), ``demands`` (n,) int64, ``capacity``. Answer: a list of routes.

    A route is a list (or a whole-number array) of customers in the order of the visits, without the depot.
    """

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw depot and customers uniformly in the unit square and demands from 1 to 9, as Kool et al. do.

        With ``depot = "corner"`` the depot is at (0, 0), and one customer in four wants three times as much.
        """
        rng = np.random.default_rng(seed)
        count = case.params["customers"]
        depot, customers = rng.random(2), rng.random((count, 2))
        demands = rng.integers(1, 10, size=count)
        if case.params["depot"] == "corner":
            depot = np.zeros(2)
            demands = np.where(rng.random(count) < 0.25, 3 * demands, demands)
        capacity = int(case.params["capacity"])
        return {"depot": depot, "customers": customers, "demands": demands, "capacity": capacity}

    def reference(self, problem: Problem) -> Output:
        """Return the routes of the savings method."""
        return savings(problem)

    def check(self, problem: Problem, output: Output) -> None:
        """Every customer in exactly one route, and no route with more demand than the capacity: whole numbers."""
        demands: list[int] = problem["demands"].tolist()
        if type(output) not in (list, tuple) or len(output) > len(demands):
            raise WrongAnswer(f"expected a list of at most {len(demands)} routes, got a {type(output).__name__}")
        visited: set[int] = set()
        for number, given in enumerate(output):
            route = _route(given, number, len(demands))
            load = 0
            for customer in route:
                if customer in visited:
                    raise WrongAnswer(f"route {number} comes to customer {customer}, who was visited before")
                visited.add(customer)
                load += demands[customer]
            if not load <= problem["capacity"]:
                raise WrongAnswer(f"route {number} carries {load}, more than the capacity {problem['capacity']}")
        if len(visited) != len(demands):
            customer = next(customer for customer in range(len(demands)) if customer not in visited)
            raise WrongAnswer(f"customer {customer} is in no route ({len(visited)} of {len(demands)} are)")

    def score(self, problem: Problem, output: Output) -> float:
        """Return the length of all routes in percent of that of the savings routes."""
        return 100.0 * length(problem, output) / _savings_length(*_packed(problem))


def length(problem: Problem, planned: Any) -> float:
    """Return the length of all routes, each from the depot and back to it."""
    legs: list[float] = []
    for route in planned:
        stops = np.vstack([problem["depot"], problem["customers"][np.asarray(route, dtype=np.int64)], problem["depot"]])
        legs += np.sqrt(((stops[1:] - stops[:-1]) ** 2).sum(axis=1)).tolist()
    return math.fsum(legs)


def savings(problem: Problem) -> list[list[int]]:
    """Return the routes of Clarke and Wright's savings method, parallel version.

    From one route per customer on, the two ends are joined that save most, if they belong to different routes and both
    loads fit together, until nothing can be saved; equal savings in the order of the customers' numbers.
    """
    customers: NDArray[np.float64] = problem["customers"]
    out = np.sqrt(((customers - problem["depot"]) ** 2).sum(axis=1))
    between = np.sqrt(((customers[:, None, :] - customers[None, :, :]) ** 2).sum(axis=2))
    ones, others = np.triu_indices(len(customers), k=1)
    saved = out[ones] + out[others] - between[ones, others]
    order = np.argsort(-saved, kind="stable")
    route_of = [[customer] for customer in range(len(customers))]
    load_of: list[int] = problem["demands"].tolist()  # of the route of each customer
    for i, j in zip(ones[order].tolist(), others[order].tolist(), strict=True):
        one, other = route_of[i], route_of[j]
        if one is other or i not in (one[0], one[-1]) or j not in (other[0], other[-1]):
            continue
        load = load_of[i] + load_of[j]
        if load > problem["capacity"]:
            continue
        joined = (one if one[-1] == i else one[::-1]) + (other if other[0] == j else other[::-1])
        for customer in joined:
            route_of[customer], load_of[customer] = joined, load
    return [route for customer, route in enumerate(route_of) if route[0] == customer]


def _packed(problem: Problem) -> tuple[bytes, bytes, int]:
    places = np.vstack([problem["depot"], problem["customers"]])
    return places.tobytes(), problem["demands"].astype(np.int64).tobytes(), int(problem["capacity"])


@lru_cache(maxsize=256)
def _savings_length(places: bytes, demands: bytes, capacity: int) -> float:
    """Return the length of the savings routes; kept, because each problem is scored for many programs."""
    stops = np.frombuffer(places).reshape(-1, 2)
    load = np.frombuffer(demands, dtype=np.int64)
    problem = {"depot": stops[0], "customers": stops[1:], "demands": load, "capacity": capacity}
    return length(problem, savings(problem))


def _route(given: Any, number: int, customers: int) -> list[int]:
    """Return a route as a list of ints in range, or refuse it."""
    if type(given) is np.ndarray and given.ndim == 1 and given.dtype.kind in "iu":
        given = given.tolist()
    if type(given) not in (list, tuple) or not all(type(customer) is int for customer in given):
        raise WrongAnswer(f"route {number} is a {type(given).__name__}, expected a list of customers, whole numbers")
    if not 1 <= len(given) <= customers:
        raise WrongAnswer(f"route {number} has {len(given)} customers, expected 1 to {customers}")
    stranger = next((customer for customer in given if not 0 <= customer < customers), None)
    if stranger is not None:
        raise WrongAnswer(f"route {number} holds customer {stranger}, expected numbers from 0 to {customers - 1}")
    return list(given)

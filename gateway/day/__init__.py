"""The exam day: duties and their entries, the stages, lost time, airing, the zero report, drills and tests."""

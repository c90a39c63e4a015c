"""The entrances: who walks by a thermometer becomes persons, counts, second measurements and alarms."""

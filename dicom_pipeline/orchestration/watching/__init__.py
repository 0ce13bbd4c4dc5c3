"""What happens by itself and how one hears of it: schedules, sensors, alerts, metrics."""

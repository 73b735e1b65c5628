"""The commands outside any run: report, doctor, simulate, help, completion."""

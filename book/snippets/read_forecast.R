# Read and plot what `agmpk forecast ... --format nonmem --out forecast.csv` wrote.
library(ggplot2)

rows <- read.csv("forecast.csv", na.strings = ".")
columns <- read.csv("forecast.columns.csv") # what each column means, and its unit
unit <- columns$unit[columns$column == "DV"]
person <- if ("NAME" %in% names(rows)) "NAME" else "ID"

samples <- subset(rows, EVID == 0 & !is.na(DV))
curves <- subset(rows, EVID == 0 & !is.na(PRED))

ggplot(curves, aes(TIME)) +
  geom_ribbon(aes(ymin = Q05, ymax = Q95), fill = "steelblue", alpha = 0.25) +
  geom_ribbon(aes(ymin = Q25, ymax = Q75), fill = "steelblue", alpha = 0.35) +
  geom_line(aes(y = PRED)) +
  geom_point(data = samples, aes(y = DV, shape = factor(SHOWN, 1:0, c("shown", "held out")))) +
  scale_shape_manual(values = c(16, 1)) +
  facet_wrap(vars(.data[[person]])) +
  scale_y_log10() +
  labs(x = "Time (h)", y = paste0("Concentration (", unit, ")"), shape = NULL)

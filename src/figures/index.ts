/** Figures: SVG charts of publication quality from plain data, and PNG from them. */
export { type ColourRule, categoryStyle, type SeriesStyle, sequentialColour } from "./colour.js";
export {
  type ComparisonColumn,
  type ComparisonData,
  type ComparisonRow,
  type ComparisonValue,
  comparisonFigure,
} from "./comparison.js";
export { type ConfusionMatrixData, confusionMatrixFigure } from "./confusionMatrix.js";
export { contourRings, type Grid, logLevels, sampleGrid } from "./contours.js";
export {
  type ConvergenceData,
  type ConvergencePanel,
  type ConvergenceSeries,
  convergenceFigure,
} from "./convergence.js";
export type { FigureText } from "./figure.js";
export { type HeatMapAxis, type HeatMapCell, type HeatMapData, heatMapFigure } from "./heatMap.js";
export { type GridImage, type ImageGridData, imageGridFigure } from "./imageGrid.js";
export {
  type MeasurementPanel,
  type MeasurementSeries,
  type MeasurementsData,
  measurementsFigure,
} from "./measurements.js";
export { formatFixed, formatNumber, powerOfTen } from "./numbers.js";
export { encodePng, type PixelImage } from "./png.js";
export { rasterize, writeFigure } from "./raster.js";
export type { AxisSpec, ScaleKind } from "./scale.js";
export {
  type SensitivityCurve,
  type SensitivityData,
  type SensitivityPoint,
  sensitivityFigure,
} from "./sensitivity.js";
export { type TrajectoriesData, type Trajectory, trajectoriesFigure } from "./trajectories.js";

/** AssemblyScript, compiled to WebAssembly with 128-bit vectors by `npm run build`; `../kernels.ts` is its door. */
export { multiply, pack } from './multiply';
export { multiplyRows } from './multiply-rows';
export { addOuterProducts } from './outer-products';
export { activate, addRows, combineRows, fillRows, gatherRows, multiplySlope, padRows } from './rows';
export { wideLayer } from './score';
export { crossEntropy } from './softmax';
export {
  addDifference,
  addScaled,
  differenceNorm,
  factoredMass,
  factoredNorm,
  gram,
  innerProduct,
  mirror,
  narrowPlusOne,
  widen,
} from './wide';
export { addToLargest, addWindows, copyWindows } from './windows';

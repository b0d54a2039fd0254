/**
 * Device functions of pooling: each thread computes neighbouring channels of what is written. Padding never counts. What windows give
 * back to images is gathered by each image element, in the order of the windows.
 */
export const pooling = `
// Windows over channels-last images. Channels are counted in lanes, which travel together.
struct Pooling {
  int height, width, channels, outputHeight, outputWidth, sizeY, sizeX, strideY, strideX, top, left;
};

// The taps of window \`at\`, an element of [N, OH, OW, C], that lie in the image.
struct PoolWindow {
  int y, x, fromY, toY, fromX, toX;
  long long image;
  __device__ __forceinline__ PoolWindow(const Pooling& pool, unsigned at) {
    const unsigned channel = at % pool.channels, position = at / pool.channels;
    const unsigned column = position % pool.outputWidth, line = position / pool.outputWidth;
    const unsigned row = line % pool.outputHeight;
    y = (int)(row * pool.strideY) - pool.top;
    x = (int)(column * pool.strideX) - pool.left;
    fromY = max(0, -y);
    fromX = max(0, -x);
    toY = min(pool.sizeY, pool.height - y);
    toX = min(pool.sizeX, pool.width - x);
    image = (long long)(line / pool.outputHeight) * pool.height * pool.width * pool.channels + channel;
  }
  __device__ __forceinline__ long long element(const Pooling& pool, int i, int j) const {
    return image + ((long long)(y + i) * pool.width + x + j) * pool.channels;
  }
};

// The greatest, the first of equals; the first NaN before all.
template <int LANES, typename T>
__device__ __forceinline__ void poolMaximum(const Pooling& pool, unsigned at, const T* images, T* values,
                                            unsigned char* index) {
  const PoolWindow window(pool, at);
  Lanes<T, LANES> best = loadLanes<LANES>(images + window.element(pool, window.fromY, window.fromX) * LANES);
  Lanes<unsigned char, LANES> tap;
  #pragma unroll
  for (int lane = 0; lane < LANES; lane++)
    tap.at[lane] = (unsigned char)(window.fromY * pool.sizeX + window.fromX);
  for (int i = window.fromY; i < window.toY; i++)
    for (int j = window.fromX; j < window.toX; j++) {
      const Lanes<T, LANES> candidate = loadLanes<LANES>(images + window.element(pool, i, j) * LANES);
      #pragma unroll
      for (int lane = 0; lane < LANES; lane++)
        if (best.at[lane] == best.at[lane] && !(candidate.at[lane] <= best.at[lane])) {
          best.at[lane] = candidate.at[lane];
          tap.at[lane] = (unsigned char)(i * pool.sizeX + j);
        }
    }
  if (values) storeLanes(values + (long long)at * LANES, best);
  if (index) storeLanes(index + (long long)at * LANES, tap);
}

template <int LANES, typename T>
__device__ __forceinline__ void poolPick(const Pooling& pool, unsigned at, const T* images, T* values,
                                         const unsigned char* index) {
  const PoolWindow window(pool, at);
  const Lanes<unsigned char, LANES> tap = loadLanes<LANES>(index + (long long)at * LANES);
  Lanes<T, LANES> picked;
  #pragma unroll
  for (int lane = 0; lane < LANES; lane++) {
    const int i = tap.at[lane] / pool.sizeX, j = tap.at[lane] % pool.sizeX;
    const bool exists = i >= window.fromY && i < window.toY && j >= window.fromX && j < window.toX;
    picked.at[lane] = exists ? images[window.element(pool, i, j) * LANES + lane] : T(0);
  }
  storeLanes(values + (long long)at * LANES, picked);
}

template <int LANES, typename T>
__device__ __forceinline__ void poolSum(const Pooling& pool, unsigned at, const T* images, T* values) {
  const PoolWindow window(pool, at);
  Lanes<T, LANES> total = {};
  for (int i = window.fromY; i < window.toY; i++)
    for (int j = window.fromX; j < window.toX; j++) {
      const Lanes<T, LANES> value = loadLanes<LANES>(images + window.element(pool, i, j) * LANES);
      #pragma unroll
      for (int lane = 0; lane < LANES; lane++) total.at[lane] += value.at[lane];
    }
  storeLanes(values + (long long)at * LANES, total);
}

// Element \`at\` of images [N, H, W, C]: the sum of the values of windows that cover it, if \`index\` is given of those that
// name it.
template <int LANES, typename T>
__device__ __forceinline__ void poolSpread(const Pooling& pool, unsigned at, const T* values, T* images,
                                           const unsigned char* index) {
  const unsigned channel = at % pool.channels, pixel = at / pool.channels;
  const int x = (int)(pixel % pool.width) + pool.left, y = (int)(pixel / pool.width % pool.height) + pool.top;
  const long long image = pixel / pool.width / pool.height;
  const int firstRow = max(0, (y - pool.sizeY + pool.strideY) / pool.strideY);
  const int firstColumn = max(0, (x - pool.sizeX + pool.strideX) / pool.strideX);
  Lanes<T, LANES> total = {};
  for (int row = firstRow; row < pool.outputHeight && row * pool.strideY <= y; row++)
    for (int column = firstColumn; column < pool.outputWidth && column * pool.strideX <= x; column++) {
      const long long window =
        ((image * pool.outputHeight + row) * pool.outputWidth + column) * pool.channels + channel;
      const int tap = (y - row * pool.strideY) * pool.sizeX + x - column * pool.strideX;
      const Lanes<T, LANES> value = loadLanes<LANES>(values + window * LANES);
      Lanes<unsigned char, LANES> named = {};
      if (index) named = loadLanes<LANES>(index + window * LANES);
      #pragma unroll
      for (int lane = 0; lane < LANES; lane++)
        if (!index || named.at[lane] == tap) total.at[lane] += value.at[lane];
    }
  storeLanes(images + (long long)at * LANES, total);
}
`;

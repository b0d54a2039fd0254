/**
 * Device functions of convolutions as matrix products whose operands are never stored: the patch under each position of
 * the window, and each image element's share of the outputs, are read where they lie.
 */
export const convolutions = `
// One convolution of channels-last images; channels and filters are those of one group.
struct Window {
  int height, width, channels, kernelHeight, kernelWidth, outputHeight, outputWidth, filters;
  int strideY, strideX, top, left, dilationY, dilationX;
  // Elements from one pixel to the next: all channels, all filters.
  int pixelChannels, pixelFilters;
};

// Images as the matrix of patches: a row for each position of the window, a column for each tap and channel.
template <typename T, bool POSITIONS_ARE_DEPTH> struct PatchOperand {
  static constexpr bool depthFirst = !POSITIONS_ARE_DEPTH;
  const T* images;
  Window window;
  int extent;
  __device__ __forceinline__ T operator()(int free, int depth) const {
    if (free >= extent) return T(0);
    const unsigned at = POSITIONS_ARE_DEPTH ? depth : free;
    const unsigned tap = POSITIONS_ARE_DEPTH ? free : depth;
    const unsigned column = at % window.outputWidth, line = at / window.outputWidth;
    const unsigned row = line % window.outputHeight, image = line / window.outputHeight;
    const unsigned channel = tap % window.channels, place = tap / window.channels;
    const unsigned j = place % window.kernelWidth, i = place / window.kernelWidth;
    const int y = (int)(row * window.strideY + i * window.dilationY) - window.top;
    const int x = (int)(column * window.strideX + j * window.dilationX) - window.left;
    if (y < 0 || y >= window.height || x < 0 || x >= window.width) return T(0);
    return images[(((long long)image * window.height + y) * window.width + x) * window.pixelChannels + channel];
  }
};

// Outputs as image elements see them: a row for each pixel, a column for each tap and filter.
template <typename T> struct SpreadOperand {
  static constexpr bool depthFirst = true;
  const T* outputs;
  Window window;
  int extent;
  __device__ __forceinline__ T operator()(int pixel, int depth) const {
    if (pixel >= extent) return T(0);
    const unsigned x = (unsigned)pixel % window.width, line = (unsigned)pixel / window.width;
    const unsigned y = line % window.height, image = line / window.height;
    const unsigned filter = (unsigned)depth % window.filters, place = (unsigned)depth / window.filters;
    const unsigned j = place % window.kernelWidth, i = place / window.kernelWidth;
    const int down = (int)y + window.top - (int)i * window.dilationY;
    const int across = (int)x + window.left - (int)j * window.dilationX;
    if (down < 0 || across < 0 || down % window.strideY != 0 || across % window.strideX != 0) return T(0);
    const int row = down / window.strideY, column = across / window.strideX;
    if (row >= window.outputHeight || column >= window.outputWidth) return T(0);
    return outputs[(((long long)image * window.outputHeight + row) * window.outputWidth + column) *
                     window.pixelFilters + filter];
  }
};

// Filters as what outputs are multiplied by for an image: for each channel, a depth for each tap and filter.
template <typename T> struct FilterOperand {
  static constexpr bool depthFirst = false;
  const T* filters;
  Window window;
  __device__ __forceinline__ T operator()(int channel, int depth) const {
    if (channel >= window.channels) return T(0);
    const unsigned filter = (unsigned)depth % window.filters, place = (unsigned)depth / window.filters;
    const unsigned places = window.kernelHeight * window.kernelWidth;
    return filters[((long long)filter * places + place) * window.channels + channel];
  }
};

// Outputs with a bias for each filter, if there is one, and without what is negative, if that is wanted.
template <typename T> struct OutputResult {
  T* base;
  int rows, columns;
  long long rowStride;
  const T* bias;
  bool rectifies;
  __device__ __forceinline__ void operator()(int row, int column, T value) const {
    if (row >= rows || column >= columns) return;
    if (bias) value += bias[column];
    base[row * rowStride + column] = rectifies ? greater(value, T(0)) : value;
  }
};
`;

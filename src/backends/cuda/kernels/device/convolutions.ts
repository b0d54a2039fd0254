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

// Above every image, whatever the tap.
constexpr int nowhere = -(1 << 30);

// A tap of the window: how far from its corner, and the channel or filter there.
struct Tap { int y, x, inner; };
__device__ __forceinline__ Tap tapOf(const Window& window, unsigned index, int inners) {
  const unsigned place = index / inners, i = place / window.kernelWidth, j = place % window.kernelWidth;
  return {(int)i * window.dilationY, (int)j * window.dilationX, (int)(index % inners)};
}

// Images as the matrix of patches: a position of the window by a tap and channel.
template <typename T, int WIDE> struct Patches {
  static constexpr int wide = WIDE;
  const T* base;
  Window window;
  int extent;
  // The element under the window's corner, in an image or beside it.
  struct Position { const T* at; int y, x; };
  struct Move { int y, x, elements; };
  __device__ __forceinline__ Position position(unsigned index) const {
    const unsigned line = index / window.outputWidth, image = line / window.outputHeight;
    const int y = (int)(line % window.outputHeight) * window.strideY - window.top;
    const int x = (int)(index % window.outputWidth) * window.strideX - window.left;
    return {base + (((long long)image * window.height + y) * window.width + x) * window.pixelChannels, y, x};
  }
  __device__ __forceinline__ Move move(unsigned index) const {
    const Tap tap = tapOf(window, index, window.channels);
    return {tap.y, tap.x, (tap.y * window.width + tap.x) * window.pixelChannels + tap.inner};
  }
  __device__ __forceinline__ Place<T> at(const Position& from, const Move& by) const {
    const unsigned y = from.y + by.y, x = from.x + by.x;
    return {from.at + by.elements, y < (unsigned)window.height && x < (unsigned)window.width};
  }
};

template <typename T, int WIDE> struct PatchesByPosition : Patches<T, WIDE> {
  static constexpr bool depthFirst = true;
  typedef typename Patches<T, WIDE>::Position Free;
  typedef typename Patches<T, WIDE>::Move Depth;
  __device__ __forceinline__ Free free(int index) const {
    Free position = this->position(index);
    if (index >= this->extent) position.y = nowhere;
    return position;
  }
  __device__ __forceinline__ Depth depth(int index) const { return this->move(index); }
};

template <typename T, int WIDE> struct PatchesByTap : Patches<T, WIDE> {
  static constexpr bool depthFirst = false;
  typedef typename Patches<T, WIDE>::Move Free;
  typedef typename Patches<T, WIDE>::Position Depth;
  __device__ __forceinline__ Free free(int index) const {
    Free move = this->move(index);
    if (index >= this->extent) move.y = nowhere;
    return move;
  }
  __device__ __forceinline__ Depth depth(int index) const { return this->position(index); }
  __device__ __forceinline__ Place<T> at(const Free& move, const Depth& position) const {
    return Patches<T, WIDE>::at(position, move);
  }
};

// Outputs as image elements see them: a row for each pixel, a column for each tap and filter.
template <typename T, int WIDE> struct SpreadOperand {
  static constexpr bool depthFirst = true;
  static constexpr int wide = WIDE;
  const T* base;
  Window window;
  int extent;
  // The outputs of the pixel's image, and the pixel as seen from the corner of its padding.
  struct Free { const T* image; int y, x; };
  typedef Tap Depth;
  __device__ __forceinline__ Free free(int index) const {
    const unsigned line = (unsigned)index / window.width, image = line / window.height;
    const int y = (int)(line % window.height) + window.top, x = (int)((unsigned)index % window.width) + window.left;
    const long long elements = (long long)window.outputHeight * window.outputWidth * window.pixelFilters;
    return {base + image * elements, index < extent ? y : nowhere, x};
  }
  __device__ __forceinline__ Depth depth(int index) const { return tapOf(window, index, window.filters); }
  __device__ __forceinline__ Place<T> at(const Free& pixel, const Depth& tap) const {
    const int down = pixel.y - tap.y, across = pixel.x - tap.x;
    const int row = down / window.strideY, column = across / window.strideX;
    const bool exists = down >= 0 && across >= 0 && down % window.strideY == 0 && across % window.strideX == 0 &&
                        row < window.outputHeight && column < window.outputWidth;
    const int output = exists ? row * window.outputWidth + column : 0;
    return {pixel.image + output * window.pixelFilters + tap.inner, exists};
  }
};

// Filters as what outputs are multiplied by for an image: for each channel, a depth for each tap and filter.
template <typename T, int WIDE> struct FilterOperand {
  static constexpr bool depthFirst = false;
  static constexpr int wide = WIDE;
  const T* base;
  Window window;
  typedef Place<T> Free;
  typedef long long Depth;
  __device__ __forceinline__ Free free(int channel) const { return {base + channel, channel < window.channels}; }
  __device__ __forceinline__ Depth depth(int index) const {
    const unsigned filter = (unsigned)index % window.filters, place = (unsigned)index / window.filters;
    const unsigned places = window.kernelHeight * window.kernelWidth;
    return ((long long)filter * places + place) * window.channels;
  }
  __device__ __forceinline__ Place<T> at(const Free& free, Depth depth) const { return {free.at + depth, free.exists}; }
};

// Outputs with a bias for each filter, if there is one, and without what is negative, if that is wanted.
template <typename T, int WIDE> struct OutputResult {
  MatrixResult<T, WIDE> outputs;
  const T* bias;
  bool rectifies;
  template <int COUNT>
  __device__ __forceinline__ void operator()(int row, int column, Lanes<T, COUNT> values) const {
    #pragma unroll
    for (int i = 0; i < COUNT; i++) {
      if (bias && column + i < outputs.columns) values.at[i] += bias[column + i];
      if (rectifies) values.at[i] = greater(values.at[i], T(0));
    }
    outputs(row, column, values);
  }
};
`;

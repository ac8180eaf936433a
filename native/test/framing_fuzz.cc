// libFuzzer target: any options, any stream, any chunking; the outcome must not depend on the cuts.
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Inative/include
//   native/test/framing_fuzz.cc
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "framing_splits.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  constexpr std::size_t kHeader = 12;
  if (size < kHeader) return 0;
  FramingOptions options;
  options.kind = static_cast<FramingKind>(1 + data[0] % 7);  // raw frames are the chunks themselves
  options.max_bytes = 1 + data[1] + 256u * (data[2] % 16);
  options.fixed_bytes = 1 + data[3] % 32;
  options.length_bytes = static_cast<std::uint8_t>(1u << data[4] % 4);
  options.little_endian = data[4] >= 128;
  options.strip = data[5] % 2 == 0;
  options.length_offset = data[6] % 8;
  options.length_adjustment = static_cast<std::int8_t>(data[7]);
  options.strip_bytes = data[8] % 16;
  options.max_arguments = 1 + data[9];
  options.delimiter_bytes = static_cast<std::uint8_t>(1 + data[10] % 3);
  std::memset(options.delimiter, data[10], sizeof options.delimiter);
  const std::size_t chunk = 1 + data[11] % 64;

  const std::string_view input(reinterpret_cast<const char*>(data) + kHeader, size - kHeader);
  const Framing framing(options);
  const test::Found whole = test::feed_whole(framing, input);
  const test::Found bytes = test::feed_bytes(framing, input);
  const test::Found chunks = test::feed(
      framing, input, [&](std::size_t) { return chunk; }, chunk % 3);
  if (!whole.kept_contract || !bytes.kept_contract || !chunks.kept_contract) std::abort();
  if (!(whole == bytes) || !(whole == chunks)) std::abort();
  if (bytes.most_buffered > framing.max_frame_bytes()) std::abort();
  return 0;
}

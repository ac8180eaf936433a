#include "millrace/framing/stream_scanner.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace millrace {
namespace {

class StreamScannerTest : public ::testing::Test {
 protected:
  StreamScannerTest()
      : scanner_([] {
          FramingOptions options;
          options.kind = FramingKind::kResp;
          options.max_arguments = 100;
          return options;
        }()) {}

  void scan(std::uint32_t start) {
    scanner_.scan(reinterpret_cast<std::uint8_t*>(memory_.data()), start,
                  static_cast<std::uint32_t>(memory_.size()), table_, parts_);
  }

  std::string frame(std::uint32_t i) const {
    const std::uint32_t* row = table_.data() + StreamScanner::kHeaderWords + 5 * i;
    return memory_.substr(row[0], row[1]);
  }

  std::string part(std::uint32_t i, std::uint32_t n) const {
    const std::uint32_t* row = table_.data() + StreamScanner::kHeaderWords + 5 * i;
    const Part& part = parts_[row[3] / 2 + n];
    return memory_.substr(row[0] + part.offset, part.length);
  }

  ScanResult result() const { return static_cast<ScanResult>(table_[1]); }

  StreamScanner scanner_;
  std::string memory_;
  std::vector<std::uint32_t> table_ =
      std::vector<std::uint32_t>(StreamScanner::kHeaderWords + 5 * 3);
  std::vector<Part> parts_ = std::vector<Part>(4);
};

TEST_F(StreamScannerTest, FindsWhatThereIsAndGoesOn) {
  memory_ = "??a b\n\nc\n\nd";
  scan(2);
  EXPECT_EQ(table_[0], 2u);
  EXPECT_EQ(result(), ScanResult::kIncomplete);
  EXPECT_EQ(table_[2], 10u);
  EXPECT_EQ(frame(1), "c\n");
  EXPECT_EQ(part(0, 1), "b");
  EXPECT_EQ(part(1, 0), "c");
  memory_ = "d e\n";  // the unfinished frame has moved
  scan(0);
  EXPECT_EQ(table_[0], 1u);
  EXPECT_EQ(part(0, 1), "e");
}

TEST_F(StreamScannerTest, StopsAtAFullTable) {
  memory_ = "1\n2\n3\n4\n";
  scan(0);
  EXPECT_EQ(table_[0], 3u);
  EXPECT_EQ(result(), ScanResult::kFrame);
  scan(table_[2]);
  EXPECT_EQ(table_[0], 1u);
  EXPECT_EQ(frame(0), "4\n");
}

TEST_F(StreamScannerTest, SaysHowManyPartsTheNextFrameNeeds) {
  memory_ = "a b c\nd e\nf \"g\\n\" h i j\n";
  scan(0);
  EXPECT_EQ(table_[0], 1u);
  EXPECT_EQ(result(), ScanResult::kPartsFull);
  EXPECT_EQ(table_[6], 2u);
  scan(table_[2]);
  EXPECT_EQ(table_[0], 1u);
  scan(table_[2]);
  EXPECT_EQ(table_[0], 0u);
  EXPECT_EQ(table_[6], 5u);
  parts_.resize(5);
  scan(table_[2]);
  EXPECT_EQ(table_[0], 1u);
  EXPECT_EQ(part(0, 1), "g\n");
}

TEST_F(StreamScannerTest, FramesBeforeAnErrorAreAnswered) {
  memory_ = "a\n*x\r\n";
  scan(0);
  EXPECT_EQ(table_[0], 1u);
  EXPECT_EQ(result(), ScanResult::kError);
  EXPECT_EQ(static_cast<FrameError>(table_[3]), FrameError::kInvalidMultibulkLength);
  EXPECT_EQ(table_[2], 2u);
}

}  // namespace
}  // namespace millrace

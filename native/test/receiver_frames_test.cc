// How frames come through the receiver: cut anywhere, many in a chunk, larger than a block.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "millrace/server/receiver.h"
#include "seed.h"
#include "support/hand_driven_pipeline.h"
#include "watchdog.h"

namespace millrace {
namespace {

using Arguments = std::vector<std::string>;

// A message as it goes over the wire, and what its worker must see.
struct Sample {
  std::string wire;
  std::string payload;
  Arguments arguments;
};

std::string resp_request(const Arguments& arguments) {
  std::string wire = "*" + std::to_string(arguments.size()) + "\r\n";
  for (const std::string& argument : arguments) {
    wire += "$" + std::to_string(argument.size()) + "\r\n" + argument + "\r\n";
  }
  return wire;
}

Sample length_prefixed(const std::string& payload) { return {framed(payload), payload, {}}; }
Sample line(const std::string& payload) { return {payload + "\n", payload, {}}; }
Sample resp(const Arguments& arguments) {
  const std::string wire = resp_request(arguments);
  return {wire, wire, arguments};
}
// The payload of an inline request with quotes is rewritten in place: only its arguments count.
Sample inline_resp(const std::string& wire, const Arguments& arguments) {
  return {wire + "\r\n", "", arguments};
}

// One connection whose worker keeps what it sees, and echoes nothing.
class FrameBench {
 public:
  explicit FrameBench(FramingKind kind, PipelineOptions options = pipeline_test_options())
      : pipeline_(with_kind(options, kind)) {
    pipeline_.on_inbound = [this](ScriptedWorker& worker, const InboundDescriptor& d) {
      if (ScriptedWorker::kind_of(d) == kInMessage) take(worker, d);
      if (ScriptedWorker::kind_of(d) == kInEnd) ended_ = true;
    };
    key_ = pipeline_.accept(client_);
    pipeline_.settle();
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t took = client_.try_send(bytes);
      ASSERT_GE(took, 0);
      bytes.remove_prefix(static_cast<std::size_t>(took));
      sent_ += static_cast<std::size_t>(took);
      if (took == 0) pipeline_.settle();
    }
  }
  void wait_until_read() {
    pipeline_.run_until([&] { return pipeline_.core.counters.bytes_read.load() == sent_; });
  }
  void wait_for(std::size_t messages) {
    pipeline_.run_until([&] { return payloads_.size() >= messages || ended_; });
    pipeline_.settle();
  }

  void expect(const std::vector<Sample>& samples) {
    wait_for(samples.size());
    ASSERT_EQ(payloads_.size(), samples.size());
    ASSERT_FALSE(ended_);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      ASSERT_EQ(arguments_[i], samples[i].arguments) << "message " << i;
      if (samples[i].payload.empty()) continue;
      ASSERT_EQ(payloads_[i], samples[i].payload) << "message " << i;
    }
    payloads_.clear();
    arguments_.clear();
    ASSERT_EQ(pipeline_.core.store.held_bytes(), 0u);
    const std::size_t fixed = Outbox::arena_bytes() + Input::kReadBlockBytes;
    ASSERT_LE(pipeline_.core.store.slab().stats().in_use_bytes, fixed)
        << "blocks are not given back";
  }

  HandDrivenPipeline& pipeline() { return pipeline_; }

 private:
  static PipelineOptions with_kind(PipelineOptions options, FramingKind kind) {
    options.framing.kind = kind;
    return options;
  }

  void take(ScriptedWorker& worker, const InboundDescriptor& d) {
    payloads_.emplace_back(worker.text(d));
    Arguments arguments;
    for (std::uint32_t i = 0; i < d.part_count; ++i) {
      Part part;
      std::memcpy(&part, worker.core().store.data(d.parts) + i * sizeof part, sizeof part);
      ASSERT_LE(std::uint64_t{part.offset} + part.length, d.length);
      arguments.emplace_back(worker.text(d).substr(part.offset, part.length));
    }
    arguments_.push_back(std::move(arguments));
  }

  HandDrivenPipeline pipeline_;
  LoopbackClient client_;
  ConnectionKey key_;
  std::size_t sent_ = 0;
  bool ended_ = false;
  std::vector<std::string> payloads_;
  std::vector<Arguments> arguments_;
};

std::string concatenated(const std::vector<Sample>& samples) {
  std::string wire;
  for (const Sample& sample : samples) wire += sample.wire;
  return wire;
}

struct Kind {
  FramingKind kind;
  std::vector<Sample> samples;
};

std::vector<Kind> kinds() {
  return {
      {FramingKind::kLengthPrefixed,
       {length_prefixed("first"), length_prefixed(""), length_prefixed("the third")}},
      {FramingKind::kLines, {line("first"), line(""), line("the third")}},
      {FramingKind::kResp,
       {resp({"SET", "key", ""}), inline_resp("set 'a b' \"c\\x41\"", {"set", "a b", "cA"}),
        resp({"PING"})}},
  };
}

TEST(ReceiverFrames, CutAtEveryByte) {
  const Watchdog watchdog("frames cut at every byte");
  for (const Kind& kind : kinds()) {
    FrameBench bench(kind.kind);
    const std::string wire = concatenated(kind.samples);
    for (std::size_t cut = 1; cut < wire.size(); ++cut) {
      SCOPED_TRACE("cut at " + std::to_string(cut));
      bench.send(wire.substr(0, cut));
      bench.wait_until_read();
      bench.send(wire.substr(cut));
      bench.expect(kind.samples);
    }
  }
}

TEST(ReceiverFrames, AByteAtATime) {
  const Watchdog watchdog("frames a byte at a time");
  for (const Kind& kind : kinds()) {
    FrameBench bench(kind.kind);
    for (const char byte : concatenated(kind.samples)) {
      bench.send({&byte, 1});
      bench.wait_until_read();
    }
    bench.expect(kind.samples);
  }
}

TEST(ReceiverFrames, ManyInOneChunk) {
  const Watchdog watchdog("many frames in one chunk");
  for (const Kind& kind : kinds()) {
    FrameBench bench(kind.kind);
    std::vector<Sample> samples;
    while (samples.size() < 10'000) {
      samples.insert(samples.end(), kind.samples.begin(), kind.samples.end());
    }
    bench.send(concatenated(samples));
    bench.expect(samples);
  }
}

TEST(ReceiverFrames, LargerThanTheReadBlock) {
  const Watchdog watchdog("large frames");
  for (const std::size_t size : {60'000u, 65'530u, 65'536u, 100'000u, 900'000u}) {
    const std::string large(size, 'l');
    {
      FrameBench bench(FramingKind::kLengthPrefixed);
      const std::vector<Sample> samples = {length_prefixed("before"), length_prefixed(large),
                                           length_prefixed("between"), length_prefixed(large),
                                           length_prefixed("behind")};
      bench.send(concatenated(samples));
      bench.expect(samples);
    }
    {
      FrameBench bench(FramingKind::kResp);
      const std::vector<Sample> samples = {resp({"SET", "a", large}), resp({"GET", "a"}),
                                           resp({"SET", large, "b"})};
      bench.send(concatenated(samples));
      bench.expect(samples);
    }
  }
}

TEST(ReceiverFrames, PartsTablesThatDoNotFitBehindTheirFrames) {
  const Watchdog watchdog("parts tables");
  for (const std::size_t count : {100u, 4'000u, 5'000u, 9'000u, 60'000u}) {
    FrameBench bench(FramingKind::kResp);
    Arguments arguments;
    for (std::size_t i = 0; i < count; ++i) arguments.push_back(std::to_string(i % 10));
    std::string words = "'a b'";
    Arguments word_list = {"a b"};
    for (std::size_t i = 0; i < std::min<std::size_t>(count, 20'000); ++i) {
      words += " w";
      word_list.push_back("w");
    }
    const std::vector<Sample> samples = {resp({"PING"}), resp(arguments),
                                         inline_resp(words, word_list), resp({"GET", "k"})};
    const std::string wire = concatenated(samples);
    bench.send(wire);
    bench.expect(samples);
    bench.send(wire.substr(0, wire.size() / 3));
    bench.wait_until_read();
    bench.send(wire.substr(wire.size() / 3));
    bench.expect(samples);
  }
}

// Everything at once: sizes, chunks, small rings and budgets, in an order that the seed decides.
TEST(ReceiverFrames, AnySizesInAnyChunksThroughAnyRoom) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog("random frames, " + seed_note(seed));
  std::mt19937_64 random(seed);
  const auto below = [&random](std::uint64_t limit) { return random() % limit; };
  const auto some_text = [&](std::uint64_t most) {
    std::string text(below(most + 1), '\0');
    for (char& byte : text) byte = static_cast<char>('a' + below(26));
    return text;
  };
  for (int round = 0; round < 24; ++round) {
    const FramingKind kind = kinds()[round % 3].kind;
    PipelineOptions options = pipeline_test_options();
    options.inbox_capacity = 4u << below(8);
    options.read_budget_bytes = 100u << below(10);
    options.high_water_bytes = 1024u << below(8);
    FrameBench bench(kind, options);
    std::vector<Sample> samples;
    const std::uint64_t most = below(4) == 0 ? 300'000 : below(2) == 0 ? 9'000 : 40;
    const std::uint64_t count = most > 10'000 ? 8 : most > 100 ? 50 : 500;
    while (samples.size() < count) {
      if (kind == FramingKind::kLengthPrefixed) samples.push_back(length_prefixed(some_text(most)));
      if (kind == FramingKind::kLines) samples.push_back(line(some_text(most)));
      if (kind == FramingKind::kResp && below(4) == 0) {
        const std::string word = "w" + some_text(30);
        samples.push_back(inline_resp("echo \"" + word + "\"", {"echo", word}));
      } else if (kind == FramingKind::kResp) {
        Arguments arguments = {"SET"};
        const bool wide = below(40) == 0;
        const std::uint64_t arity = wide ? below(12'000) : below(5);
        for (std::uint64_t i = 0; i < arity; ++i)
          arguments.push_back(some_text(wide ? 3 : most / 4));
        samples.push_back(resp(arguments));
      }
    }
    const std::string wire = concatenated(samples);
    const std::uint64_t chunk = 1 + below(below(2) == 0 ? 100 + most / 50 : 200'000);
    HandDrivenPipeline& p = bench.pipeline();
    for (std::size_t at = 0; at < wire.size();) {
      const std::size_t size = std::min<std::size_t>(1 + below(chunk), wire.size() - at);
      bench.send(std::string_view(wire).substr(at, size));
      at += size;
      for (std::uint64_t steps = below(4); steps > 0; --steps) {
        switch (below(3)) {
          case 0:
            p.events.step(0);
            break;
          case 1:
            p.receiver.step();
            break;
          default:
            p.run_worker(p.workers[0]);
            break;
        }
      }
    }
    bench.expect(samples);
    ASSERT_EQ(p.core.table.open_count(), 1u);
  }
}

}  // namespace
}  // namespace millrace

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

#include "millrace/server/consumer.h"

namespace millrace {

// A worker as the TypeScript one is: it reads descriptors from the ring, writes the control words,
// and gathers operations in the list and bytes in the output block. One thread at a time.
class ScriptedWorker {
 public:
  // Called for each descriptor.
  using Handler = std::function<void(ScriptedWorker&, const InboundDescriptor&)>;

  explicit ScriptedWorker(PipelineCore& core, std::uint32_t index = 0)
      : core_(core), consumer_(core, index), inbox_(*core.inboxes[index]) {}

  bool attach() { return consumer_.attach(); }

  // Handles one batch; false when there was none.
  bool run(const Handler& handler) {
    if (!begin()) return false;
    while (next(handler)) {
    }
    finish();
    return true;
  }

  // The steps of run(), for a worker that ends between them.
  bool begin() {
    at_ = 0;
    count_ = consumer_.begin_batch(first_);
    return count_ != 0;
  }
  bool next(const Handler& handler) {
    if (at_ == count_) return false;
    start_next();
    const InboundDescriptor& d = inbox_.at(first_ + at_);
    handler(*this, d);
    if (Inbox::is_message(d) && !outcome_told_) ++inbox_.control(kControlHandled);
    ++at_;
    return true;
  }
  // The stores that come before each message, and nothing else.
  void start_next() {
    outcome_told_ = false;
    const std::uint32_t operations = inbox_.control(kControlOpCount);
    inbox_.control(kControlOutMarkBytes) =
        operations == 0 ? 0 : inbox_.operations()[operations - 1].length;
    inbox_.control(kControlOutMark) = operations;
    inbox_.control(kControlRunning) = static_cast<std::uint32_t>(first_ + at_);
  }
  void finish() {
    inbox_.control(kControlState) = 0;
    consumer_.end_batch();
  }

  // From inside a handler: the message failed, or its frame is kept until settle().
  void fail() {
    ++inbox_.control(kControlFailed);
    outcome_told_ = true;
  }
  std::uint32_t hold() {
    std::uint32_t offset = 0;
    std::uint32_t parts = 0;
    const std::uint32_t handle = consumer_.park(first_ + at_, offset, parts);
    ++inbox_.control(kControlHeld);
    outcome_told_ = true;
    return handle;
  }
  // Outside a batch or in one.
  void settle(std::uint32_t handle, bool failed = false) {
    --inbox_.control(kControlHeld);
    ++inbox_.control(failed ? kControlFailed : kControlHandled);
    consumer_.unpark(handle);
  }

  void write(ConnectionKey key, std::string_view bytes, bool wants_drain = false) {
    while (!bytes.empty()) {
      if (inbox_.control(kControlOutUsed) == inbox_.control(kControlOutBlockBytes)) {
        consumer_.flush();
      }
      const std::uint32_t used = inbox_.control(kControlOutUsed);
      const auto size = static_cast<std::uint32_t>(
          std::min<std::size_t>(bytes.size(), inbox_.control(kControlOutBlockBytes) - used));
      const std::uint32_t block = inbox_.control(kControlOutBlock);
      std::memcpy(core_.store.data(block + used), bytes.data(), size);
      inbox_.control(kControlOutUsed) = used + size;
      push({key.fd, key.sequence, block + used, size,
            kOutWrite | (wants_drain ? std::uint32_t{kOutWantsDrain} : 0), 0, 0, block});
      bytes.remove_prefix(size);
    }
  }

  // Sends a message back as it came, without touching it. The framing of the tests has a header of
  // four bytes.
  void echo(const InboundDescriptor& d, std::uint32_t header = 4) {
    push({d.fd, d.sequence, d.offset - header, d.length + header, kOutWrite, 0, 0, d.block});
  }

  void end(ConnectionKey key, CloseReason reason = CloseReason::kLocal, bool at_once = false) {
    push({key.fd, key.sequence, 0, 0, kOutEnd, static_cast<std::uint32_t>(reason), at_once,
          kNoBlock});
  }

  void activate(TopicTable::Ticket ticket) {
    push({0, 0, 0, 0, kOutActivate, ticket.index, ticket.generation, kNoBlock});
  }

  void publish(std::string_view topic, std::string_view payload, std::uint64_t key = 0,
               ConnectionKey except = {}) {
    const PublishHeader header{
        static_cast<std::uint32_t>(topic.size()), static_cast<std::uint32_t>(payload.size()),
        static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32), 0};
    const auto size = static_cast<std::uint32_t>(sizeof header + topic.size() + payload.size());
    if (inbox_.control(kControlOutBlockBytes) - inbox_.control(kControlOutUsed) < size) {
      consumer_.flush();
      consumer_.outbound().take_block();
    }
    const std::uint32_t block = inbox_.control(kControlOutBlock);
    const std::uint32_t at = block + inbox_.control(kControlOutUsed);
    std::uint8_t* bytes = core_.store.data(at);
    std::memcpy(bytes, &header, sizeof header);
    topic.copy(reinterpret_cast<char*>(bytes + sizeof header), topic.size());
    payload.copy(reinterpret_cast<char*>(bytes + sizeof header + topic.size()), payload.size());
    inbox_.control(kControlOutUsed) += size;
    push({except.fd, except.sequence, at, size, kOutPublish, 0, 0, block});
  }

  void push(const OutboundOperation& operation) {
    if (inbox_.control(kControlOpCount) == kOperationListCapacity) consumer_.flush();
    inbox_.operations()[inbox_.control(kControlOpCount)++] = operation;
  }

  std::string_view text(const InboundDescriptor& d) {
    return {reinterpret_cast<const char*>(core_.store.data(d.offset)), d.length};
  }

  static ConnectionKey key_of(const InboundDescriptor& d) { return {d.fd, d.sequence}; }
  static std::uint32_t kind_of(const InboundDescriptor& d) { return d.kind & 0xff; }

  std::uint64_t first() const { return first_; }
  std::uint32_t count() const { return count_; }
  Consumer& consumer() { return consumer_; }
  PipelineCore& core() { return core_; }

  // Echoes every message, and ends a connection when its peer has.
  static void echo_all(ScriptedWorker& worker, const InboundDescriptor& d) {
    if (kind_of(d) == kInMessage) worker.echo(d);
    if (kind_of(d) == kInEnd) worker.end(key_of(d), end_reason(d));
    if (kind_of(d) == kInServerEnd) worker.end(key_of(d), CloseReason::kServer);
  }
  static CloseReason end_reason(const InboundDescriptor& d) {
    return d.length == 0 || d.length == kFrameIncomplete ? CloseReason::kPeer
                                                         : CloseReason::kProtocol;
  }

 private:
  PipelineCore& core_;
  Consumer consumer_;
  Inbox& inbox_;
  std::uint64_t first_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t at_ = 0;
  bool outcome_told_ = false;
};

}  // namespace millrace

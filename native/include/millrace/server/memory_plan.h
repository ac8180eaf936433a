#pragma once

#include <cstddef>
#include <cstdint>

#include "millrace/base/native_thread.h"
#include "millrace/server/consumer.h"
#include "millrace/server/shared_server.h"

namespace millrace {

// The native bytes that a server with these options can ever use, part by part. Every container of
// the pipeline is made with its bound at the start, so this is a sum and not an estimate.
template <class Part>
void plan_memory(const PipelineOptions& o, Part&& part) {
  part("arena", o.max_bytes);
  part("arena metadata", SlabAllocator::metadata_bytes(BlockStore::slab_options(o.max_bytes)) +
                             BlockStore::meta_bytes(o.max_bytes));
  part("connections", ConnectionTable::bytes(o.descriptors, o.max_connections) +
                          AddressCounts::bytes(o.max_per_address, o.max_connections) +
                          o.descriptors * sizeof(std::atomic<std::uint32_t>));
  part("key queues",
       2 * KeyQueue::bytes(o.descriptors) + SharedServer::announcement_bytes(o.descriptors));
  part("inboxes", o.workers * (sizeof(Inbox) + Inbox::bytes(o.inbox_capacity) +
                               Consumer::bytes(o.inbox_capacity)));
  part("outboxes", PipelineCore::kMaxOutboxes * Outbox::bytes());
  part("timers", IdleTimers::bytes(o.max_connections));
  part("subscriptions", TopicTable::bytes(o.max_subscriptions));
  if (o.slow_consumer == SlowConsumer::kConflate) {
    part("conflation", PublishedQueue::bytes(o));
  }
  part("threads", StagedPipeline::kThreads * NativeThread::kStackBytes);
  part("fixed", sizeof(SharedServer));
}

}  // namespace millrace

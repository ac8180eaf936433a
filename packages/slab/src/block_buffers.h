#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>

#include "keeper.h"
#include "millrace/memory/slab_allocator.h"

// The blocks that one thread has as ArrayBuffers of their own. A block goes back when its
// ArrayBuffer is freed by hand or, after that was forgotten, collected or at the end of its thread.
// Used by that thread only. Costs a look-up each time.
class BlockBuffers {
 public:
  // What one ArrayBuffer keeps: the block, unless it has been taken back, and the memory.
  class Hold : public Keeper::Kept {
   public:
    Hold(Keeper& keeper, BlockBuffers& table, std::shared_ptr<millrace::SlabAllocator> memory,
         std::uint32_t block)
        : Kept(keeper), table_(table), memory_(std::move(memory)), block_(block) {
      table_.holds_.emplace(memory_->data(block_), this);
    }
    ~Hold() override {
      if (block_ == millrace::kNoBlock) return;
      table_.holds_.erase(memory_->data(block_));
      memory_->free(block_);
    }

   private:
    friend class BlockBuffers;
    BlockBuffers& table_;
    std::shared_ptr<millrace::SlabAllocator> memory_;
    std::uint32_t block_;
  };

  // Takes the block that starts there back from its hold. kNoBlock: none of this slab's is held.
  std::uint32_t take(const millrace::SlabAllocator& memory, const void* data) {
    const auto found = holds_.find(data);
    if (found == holds_.end() || found->second->memory_.get() != &memory) return millrace::kNoBlock;
    Hold* const hold = found->second;
    holds_.erase(found);
    return std::exchange(hold->block_, millrace::kNoBlock);
  }

 private:
  std::unordered_map<const void*, Hold*> holds_;
};

#pragma once

#include <dynconf/error.hpp>
#include <dynconf/types.hpp>

#include <cstdint>
#include <optional>

namespace dynconf::policy {

/// The requests that read a range page by page at one revision: `options.revision`, or the one of the first page.
class range_walk {
public:
    range_walk(key_range keys, range_options options, std::int64_t page_size);

    bool done() const noexcept { return done_; }
    /// The next request; not when done.
    const key_range& keys() const noexcept { return keys_; }
    const range_options& options() const noexcept { return options_; }

    /// The answer to it. Makes it a page of the whole: its header's revision is the one of all pages, `count` that of the
    /// whole range, and `more` means that the caller's limit left keys out.
    std::optional<error> on(range_response& page);

private:
    void ask_for_page() noexcept;

    key_range keys_;
    range_options options_;
    std::int64_t page_size_;
    std::int64_t wanted_;      // 0: all
    std::int64_t read_ = 0;
    std::int64_t count_ = 0;
    bool in_pages_;
    bool first_ = true;
    bool done_ = false;
};

}  // namespace dynconf::policy

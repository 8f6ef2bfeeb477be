#include "policy/range_walk.hpp"

#include <algorithm>
#include <utility>

namespace dynconf::policy {

range_walk::range_walk(key_range keys, range_options options, std::int64_t page_size)
    : keys_(std::move(keys)), options_(options), page_size_(page_size), wanted_(options.limit),
      // A sorted range has no key order to go on from, and a count has no pages.
      in_pages_(options.order == sort_order::none && options.target == sort_target::key && !options.count_only && !keys_.is_single_key()) {
    ask_for_page();
}

void range_walk::ask_for_page() noexcept {
    if (!in_pages_) return;
    options_.limit = page_size_;
    if (wanted_ > 0) options_.limit = std::min(page_size_, wanted_ - read_);
}

std::optional<error> range_walk::on(range_response& page) {
    read_ += static_cast<std::int64_t>(page.kvs.size());
    if (std::exchange(first_, false)) {
        if (options_.revision == 0) options_.revision = page.header.revision;
        count_ = page.count;
    }
    page.header.revision = options_.revision;
    page.count = count_;
    done_ = !in_pages_ || !page.more || (wanted_ > 0 && read_ >= wanted_);
    if (done_) return std::nullopt;
    page.more = false;   // it is on its way
    if (page.kvs.empty()) return error{errc::malformed_response, "range: an empty page that says there is more"};
    keys_ = keys_.after(page.kvs.back().key);
    ask_for_page();
    return std::nullopt;
}

}  // namespace dynconf::policy

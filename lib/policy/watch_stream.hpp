#pragma once

#include "policy/watch_cursor.hpp"
#include "wire/messages.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace dynconf::policy {

/// What the messages of one stream mean that carries several watches. They are known by their place in the body, which
/// is their watch id as well: the first takes the id 0 that the server hands out, the others ask for theirs.
class watch_stream {
public:
    /// Each watch from where it starts, in the order of the creates.
    explicit watch_stream(std::vector<watch_cursor> starts);

    struct item {
        std::size_t watch;
        watch_cursor::step step;
    };
    /// Nothing when the message is no watch's: an answer to a progress request, or of a watch that has ended.
    std::optional<item> on(wire::watch_response message);

    /// Every create was answered, be it by a refusal.
    bool answered() const noexcept { return answers_ == watches_.size(); }
    /// Watches that the server still serves, or has not refused yet.
    std::size_t alive() const noexcept { return alive_; }
    /// Whether the server has confirmed this one and not ended it since.
    bool serves(std::size_t which) const noexcept { return watches_[which].confirmed && !watches_[which].ended; }
    /// Watches that were confirmed below the server's revision and have brought nothing since.
    std::size_t behind() const noexcept { return behind_; }
    /// Nobody waits for this one any more.
    void forget(std::size_t which) noexcept { set_behind(watches_[which], false); }
    /// The next revision of this watch.
    revision_t next_revision(std::size_t which) const noexcept { return watches_[which].cursor.next_revision(); }

private:
    struct watch {
        watch_cursor cursor;
        bool confirmed = false;
        bool ended = false;
        bool behind = false;
    };
    void set_behind(watch& w, bool now) noexcept;

    std::vector<watch> watches_;
    std::size_t answers_ = 0;
    std::size_t alive_;
    std::size_t behind_ = 0;
};

}  // namespace dynconf::policy

#pragma once

#include <cstddef>
#include <string_view>

namespace dynconf::wire {

/// Cuts a byte stream into newline-delimited frames without holding them: HTTP chunks are not messages.
/// Empty lines are no frames. The last frame of a stream may lack its newline: see `at_boundary`.
class frame_splitter {
public:
    struct piece {
        std::string_view bytes;   ///< Part of the current frame, without its newline; may be empty when `ends_frame`.
        bool ends_frame = false;
    };

    explicit frame_splitter(std::size_t max_frame_size) noexcept : max_frame_size_(max_frame_size) {}

    /// Takes the next piece off the front of `input`; nothing is left to take when `input` is empty.
    piece next(std::string_view& input) noexcept;
    /// The current frame grew past `max_frame_size`.
    bool overflow() const noexcept { return size_ > max_frame_size_; }
    /// Bytes of the frame that is open.
    std::size_t size() const noexcept { return size_; }
    /// No frame is open: the stream may end here.
    bool at_boundary() const noexcept { return size_ == 0; }

private:
    std::size_t max_frame_size_;
    std::size_t size_ = 0;
};

}  // namespace dynconf::wire

// SPDX-License-Identifier: LGPL-2.1-or-later
// Helpers for tests of elements and pipelines.
#pragma once

#include "common/gst_ref.h"

#include <gst/gst.h>

#include <memory>
#include <string>
#include <vector>

namespace jkvm::testing {

struct PostedError {
    GQuark domain = 0;
    int code = -1;
    std::string text;  ///< the sentence for the user
    std::string debug; ///< the text for developers
};

struct FreeStructure {
    void operator()(GstStructure *structure) const { gst_structure_free(structure); }
};
using StructurePtr = std::unique_ptr<GstStructure, FreeStructure>;

/// Returns the element's property `stats`.
StructurePtr stats_of(GstElement *element);
/// Returns a field of `stats`: a counter, or a time in nanoseconds. Fails the test if there is no
/// such field.
guint64 stat(GstElement *element, const char *field);

/// A pipeline of at least two elements, and its bus. The destructor sets the pipeline to NULL.
class Pipeline {
public:
    /// Fails the test if the description cannot be parsed.
    explicit Pipeline(const std::string &description);
    Pipeline(const Pipeline &) = delete;
    Pipeline &operator=(const Pipeline &) = delete;
    ~Pipeline();

    GstStateChangeReturn set_state(GstState state);
    void play() { set_state(GST_STATE_PLAYING); }
    /// Returns the element called `name`, borrowed. Fails the test if there is none.
    GstElement *element(const std::string &name);
    [[nodiscard]] GstElement *get() const { return pipeline_.get(); }

    /// Returns the next message of one of the types and discards those before it. Empty if none is
    /// posted within `wait_timeout`.
    GstRef<GstMessage> wait_for(GstMessageType types);
    /// Returns the next element message with this structure name and, if given, this `reason`.
    /// Fails the test if none is posted within `wait_timeout`.
    GstRef<GstMessage> wait_for_element_message(const std::string &name,
                                                const std::string &reason = {});
    /// Returns the next error message. Fails the test if there is none, or if a second error
    /// follows.
    PostedError wait_for_error();
    /// Waits for the end of the stream. Fails the test on an error message or after `wait_timeout`.
    void wait_for_eos();
    /// Discards the messages that have been posted so far, which the bus would keep.
    void discard_messages();

private:
    GstRef<GstElement> pipeline_;
    GstRef<GstBus> bus_;
    std::vector<GstRef<GstElement>> elements_;
};

/// Returns the number of open file descriptors of this process.
std::size_t open_descriptors();

} // namespace jkvm::testing

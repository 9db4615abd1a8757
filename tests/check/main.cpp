// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs the tests of a program that uses GStreamer; what leaks shows in gst_deinit().
#include <gst/gst.h>
#include <gtest/gtest.h>

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    testing::InitGoogleTest(&argc, argv);
    const int result = RUN_ALL_TESTS();
    gst_deinit();
    return result;
}

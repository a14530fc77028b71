/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CODEC_CODEC_ID_H
#define RMI_CODEC_CODEC_ID_H

enum rmi_codec_id { RMI_CODEC_OPUS, RMI_CODEC_VP8, RMI_CODEC_VP9, RMI_CODEC_H264, RMI_CODEC_COUNT };

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_RTCP_PRIVATE_H
#define RMI_RTP_RTCP_PRIVATE_H

/* Numbers of the wire that reader and writer share. */
#define RMI_RTCP_VERSION 2
#define RMI_RTCP_VERSION_SHIFT 6
#define RMI_RTCP_PADDING_BIT 0x20
#define RMI_RTCP_WORD 4
#define RMI_RTCP_PT_SR 200
#define RMI_RTCP_PT_RR 201
#define RMI_RTCP_PT_SDES 202
#define RMI_RTCP_PT_BYE 203
#define RMI_RTCP_PT_RTPFB 205 /* RFC 4585 6.1 */
#define RMI_RTCP_PT_PSFB 206
#define RMI_RTCP_PT_XR 207 /* RFC 3611 2 */
#define RMI_RTCP_FMT_NACK 1
#define RMI_RTCP_FMT_ECN 8 /* RFC 6679 5.1 */
#define RMI_RTCP_FMT_TWCC 15
#define RMI_RTCP_FMT_PLI 1
#define RMI_RTCP_FMT_FIR 4 /* RFC 5104 4.3.1 */
#define RMI_RTCP_FMT_AFB 15
#define RMI_RTCP_XR_ECN 13 /* RFC 6679 5.2 */
#define RMI_RTCP_XR_ECN_WORDS 5
#define RMI_RTCP_SDES_CNAME 1
#define RMI_RTCP_SDES_MID 15           /* RFC 8843 16.2 */
#define RMI_RTCP_REMB_NAME 0x52454d42U /* "REMB" (draft-alvestrand-rmcat-remb-03, 2.2) */
#define RMI_RTCP_REMB_MANTISSA_MAX 0x3ffffU
#define RMI_RTCP_REMB_EXPONENT_MAX 0x3fU

#endif

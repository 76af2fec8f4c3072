"""Messages to citizens: written with what they tell about, sent afterwards by a plug-in."""

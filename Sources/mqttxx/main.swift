print("mqttxx")
